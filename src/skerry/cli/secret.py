"""``skerry secret``: the encrypted values of secrets.yaml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import list_options
from skerry.cli.secret_edit import edit
from skerry.cli.secret_import import import_secrets
from skerry.cli.secret_rekey import rekey
from skerry.errors import UsageError

if TYPE_CHECKING:
    from skerry.model.secret_value import SecretValue


@click.group()
def secret() -> None:
    """The values of secrets.yaml, encrypted with age to the operators' SSH keys.

    A Secret manifest refers to one as $(NAME) in its stringData. Values are decrypted on this
    machine alone and reach only the nodes whose pods use them. See docs/secrets.md.
    """


@secret.command("set")
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path),
    help="The value is what this file holds, byte for byte.",
)
@click.option(
    "--command",
    "is_command",
    is_flag=True,
    help="Not a value but a command that prints it: --command -- pass show db",
)
@click.pass_obj
def set_secret(
    settings: Settings, name: str, words: tuple[str, ...], file: Path | None, *, is_command: bool
) -> None:
    """Set a value: typed unseen, from a pipe or a file.

    The first value of a folder makes secrets.yaml, encrypted to your own public key. From
    standard input, a newline at the end of a single line is left out. A value is never an
    argument: others could read it in the process list and in the shell's history.
    """
    from skerry.cli.secret_folder import SecretFolder
    from skerry.edge.secrets import encrypt_value
    from skerry.model.secrets_file import SecretEntry

    if words and not is_command:
        raise UsageError(
            "a value is not given as an argument: the process list and the shell's history show it",
            hint=f"`skerry secret set {name}` asks for it; or `--file FILE`; or a pipe",
        )
    if is_command and (file is not None or not words):
        raise UsageError(
            "--command takes a command, after `--`, and no --file",
            hint=f"skerry secret set {name} --command -- pass show {name}",
        )
    folder = SecretFolder.open(settings)
    folder.raise_unless_name(name)
    before = folder.try_entry(name)
    with folder.changing() as change:
        if is_command:
            entry = SecretEntry(command=words)
        else:
            value = _read_value(name, file)
            folder.raise_unless_fits(name, value)
            entry = SecretEntry(
                value=encrypt_value(name, value, change.recipients), since=change.now
            )
        change.put(name, entry)
    click.echo(f"{'changed' if before else 'set'} {name} in secrets.yaml{folder.made_words()}")


@secret.command("get")
@click.argument("name")
@click.pass_obj
def get_secret(settings: Settings, name: str) -> None:
    """Print a value.

    Just its bytes; on a terminal with a newline after them.
    """
    from skerry.cli.secret_folder import SecretFolder

    value = SecretFolder.open(settings).read_value(name).reveal()
    sys.stdout.buffer.write(value)
    if sys.stdout.isatty() and not value.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


@secret.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.pass_obj
def remove_secrets(settings: Settings, names: tuple[str, ...]) -> None:
    """Remove values.

    One that a Secret manifest refers to stays, with an error.
    """
    from skerry.cli.secret_folder import SecretFolder
    from skerry.cli.secret_users import read_users

    folder = SecretFolder.open(settings)
    users = read_users(settings)
    for name in names:
        folder.entry(name)
        if users is not None and users[name].secrets:
            raise UsageError(
                f"Secret {', '.join(users[name].secrets)} refers to $({name})",
                hint="take the reference out of the manifest first",
            )
    folder.remove(names)
    click.echo(f"removed {', '.join(names)} from secrets.yaml; git still has the old values")


@secret.command("ls")
@list_options
@click.pass_obj
def list_secrets(settings: Settings, columns: str | None, *, no_header: bool) -> None:
    """List the names and what uses them, never the values.

    Needs no key. Columns: name, since, kind (value or command), secrets (the manifests that refer
    to it), pods (workloads that use those), nodes.
    """
    from skerry.cli.secret_folder import SecretFolder
    from skerry.cli.secret_users import read_users
    from skerry.render.secrets import COLUMNS, render_secrets, render_secrets_json
    from skerry.render.table import choose_columns
    from skerry.render.text import Palette, wants_colour

    chosen = choose_columns(COLUMNS, columns)
    folder = SecretFolder.open(settings)
    users = read_users(settings)
    if settings.json:
        click.echo(render_secrets_json(folder.file, users))
        return
    palette = Palette(is_on=wants_colour())
    click.echo(render_secrets(folder.file, users, chosen, palette, has_header=not no_header))
    if users is None:
        click.echo(
            "what uses them is not known: the folder has errors, see `skerry check`", err=True
        )


def _read_value(name: str, file: Path | None) -> SecretValue:
    """The value from a file, a pipe, or whoever sits at the terminal."""
    from skerry.model.secret_value import SecretValue

    if file is not None:
        try:
            return SecretValue(file.read_bytes())
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    if not sys.stdin.isatty():
        content = sys.stdin.buffer.read()
        is_line = content.endswith(b"\n") and content.count(b"\n") == 1
        return SecretValue(content[:-1] if is_line else content)
    typed: str = click.prompt(
        f"Value of {name}", hide_input=True, confirmation_prompt="Once more", err=True
    )
    return SecretValue(typed.encode())


for command in (edit, import_secrets, rekey):
    secret.add_command(command)
