"""``skerry secret import``: values from a .env file or from Kubernetes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.load.secret_import import Imported


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--secret",
    "secret_name",
    metavar="NAME",
    help="Of a .env file: also print the manifest of a Secret with all of its keys.",
)
@click.option("--replace", is_flag=True, help="Replace values that are there already.")
@click.pass_obj
def import_secrets(
    settings: Settings, file: Path, secret_name: str | None, *, replace: bool
) -> None:
    """Take over values of a .env file or of Kubernetes.

    FILE is a .env file, a Secret manifest, or what `kubectl get secret -o yaml` prints. A line
    NAME=VALUE of a .env file becomes the secret NAME; a key of a Kubernetes Secret becomes
    SECRET-KEY, and the manifest that refers to these is printed: put it into pods/. All values
    are taken, or none. Remove FILE afterwards; `-` reads standard input.
    """
    from skerry.cli.secret_folder import SecretFolder
    from skerry.edge.secrets import encrypt_value
    from skerry.load.secret_import import parse_import
    from skerry.model.secret_value import SecretValue
    from skerry.model.secrets_file import SecretEntry

    found = parse_import(_read(file), str(file))
    folder = SecretFolder.open(settings)
    values: dict[str, SecretValue] = {}
    for one in found:
        for key, content in one.values.items():
            name = value_name(one.name, key)
            folder.raise_unless_name(name)
            folder.raise_unless_fits(name, SecretValue(content))
            if name in values:
                raise UsageError(f"two values would be called {name}: import them apart")
            values[name] = SecretValue(content)
    there = [name for name in values if folder.try_entry(name) is not None]
    if there and not replace:
        raise UsageError(
            f"there already: {', '.join(there)}", hint="--replace puts the new values in place"
        )
    with folder.changing() as change:
        for name, value in values.items():
            text = encrypt_value(name, value, change.recipients)
            change.put(name, SecretEntry(value=text, since=change.now))
    click.echo(f"set {', '.join(values)} in secrets.yaml{folder.made_words()}", err=True)
    manifests = list(_manifests(found, secret_name))
    if manifests:
        click.echo("put this into pods/ of the cloud folder:", err=True)
        click.echo("---\n".join(manifests), nl=False)


def value_name(secret: str, key: str) -> str:
    """The name in secrets.yaml of a key of a Secret from elsewhere."""
    name = f"{secret}-{key.lstrip('.')}" if secret else key
    name = re.sub(r"[^-A-Za-z0-9_.]", "-", name)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def render_manifest(secret: Imported, name: str) -> str:
    """The Secret as a manifest that refers to secrets.yaml."""
    from skerry.load.layout import render_value

    lines = ["apiVersion: v1", "kind: Secret", f"metadata: {{name: {render_value(name)}}}"]
    if secret.type != "Opaque":
        lines.append(f"type: {render_value(secret.type)}")
    if secret.immutable:
        lines.append("immutable: true")
    lines.append("stringData:")
    for key in sorted(secret.values):
        lines.append(f'  {render_value(key)}: "$({value_name(secret.name, key)})"')
    return "\n".join(lines) + "\n"


def _manifests(found: Iterable[Imported], secret_name: str | None) -> Iterable[str]:
    for one in found:
        name = one.name or secret_name
        if name:
            yield render_manifest(one, name)


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
