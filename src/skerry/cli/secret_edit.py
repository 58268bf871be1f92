"""``skerry secret edit``: a value in the operator's editor."""

from __future__ import annotations

import click

from skerry.cli.main import Settings
from skerry.errors import UsageError


@click.command("edit")
@click.argument("name")
@click.pass_obj
def edit(settings: Settings, name: str) -> None:
    """Change a value in $VISUAL or $EDITOR.

    A new name starts empty. The file that the editor sees is in memory (tmpfs), readable by you
    alone, and removed however the editor or this command ends. A newline that the editor puts
    after a single line is left out.
    """
    from skerry.cli.secret_folder import SecretFolder
    from skerry.edge.editing import edit_value
    from skerry.edge.secrets import encrypt_value
    from skerry.model.secret_value import SecretValue
    from skerry.model.secrets_file import SecretEntry

    folder = SecretFolder.open(settings)
    folder.raise_unless_name(name)
    entry = folder.try_entry(name)
    if entry is not None and entry.command:
        raise UsageError(
            f"{name} is a command that prints the value: change it in secrets.yaml",
            hint=f"`skerry secret set {name}` makes it a value",
        )
    before = folder.read_value(name) if entry is not None else SecretValue(b"")
    after = edit_value(name, before)
    if after == before:
        click.echo(f"{name} is as it was")
        return
    folder.raise_unless_fits(name, after)
    with folder.changing() as change:
        value = encrypt_value(name, after, change.recipients)
        change.put(name, SecretEntry(value=value, since=change.now))
    click.echo(f"{'changed' if entry else 'set'} {name} in secrets.yaml{folder.made_words()}")
