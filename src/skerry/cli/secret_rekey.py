"""``skerry secret rekey``: other recipients, the same values."""

from __future__ import annotations

from pathlib import Path

import click

from skerry.cli.main import Settings
from skerry.errors import UsageError


@click.command("rekey")
@click.option(
    "--add", "added", multiple=True, metavar="KEY|FILE", help="A public key, or a file with some."
)
@click.option(
    "--remove",
    "removed",
    multiple=True,
    metavar="KEY|FILE|COMMENT",
    help="A public key, a file with some, or a key's comment (eva@laptop).",
)
@click.pass_obj
def rekey(settings: Settings, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """Encrypt all values anew, after the recipients changed.

    Recipients are those of secrets.yaml, with --add and --remove done to them; without either,
    as they are listed there now. No value changes, so nothing restarts on any node. Whoever is
    removed has seen the values and can read old versions in git: set those anew that matter.
    """
    import msgspec

    from skerry.cli.secret_folder import SecretFolder, shown_recipient
    from skerry.edge.secrets import Vault, encrypt_key, encrypt_value, same_recipient
    from skerry.render.text import plural

    folder = SecretFolder.open(settings)
    file, vault = folder.file, folder.vault
    recipients = list(file.recipients)
    for public in [public for word in added for public in _read_keys(word)]:
        if not any(same_recipient(public, one) for one in recipients):
            recipients.append(public)
    gone = [one for word in removed for one in _matching(word, recipients)]
    recipients = [one for one in recipients if one not in gone]
    if not recipients:
        raise UsageError("nobody could read the secrets any more: one recipient must stay")
    key = vault.read_key()
    entries = {}
    for name, entry in file.secrets.items():
        if entry.value is not None:
            value = encrypt_value(name, vault.read_value(name), recipients)
            entry = msgspec.structs.replace(entry, value=value)
        entries[name] = entry
    changed = msgspec.structs.replace(
        file,
        recipients=tuple(recipients),
        key=encrypt_key(key, recipients),
        secrets=entries,
    )
    try:
        Vault(changed, folder.folder).read_key()
    except Exception:
        raise UsageError(
            "you could not read the secrets any more: none of your keys would be a recipient",
            hint="let somebody who stays run this",
        ) from None
    folder.replace(changed)
    counts = plural(len(entries), "secret"), plural(len(recipients), "recipient")
    click.echo(f"{counts[0]} encrypted to {counts[1]}:")
    for one in recipients:
        click.echo(f"  {shown_recipient(one)}")
    if gone:
        names = ", ".join(shown_recipient(one) for one in gone)
        click.echo(f"removed {names}, who has seen the values: set anew those that matter")


def _read_keys(word: str) -> list[str]:
    """The public keys that an option means: the key itself, or those of a file."""
    from skerry.edge.secrets import parse_recipient

    if word.startswith(("ssh-", "age1")):
        return [parse_recipient(word)]
    path = Path(word).expanduser()
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"{word!r} is neither a public key nor a file that can be read",
            hint="ssh-ed25519 ..., ssh-rsa ..., age1..., or a .pub file",
        ) from None
    text = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not text:
        raise UsageError(f"{word} holds no public key")
    return [parse_recipient(line) for line in text]


def _matching(word: str, recipients: list[str]) -> list[str]:
    """The recipients that an option means."""
    from skerry.cli.secret_folder import shown_recipient
    from skerry.edge.secrets import same_recipient

    found = [one for one in recipients if " ".join(one.split()[2:]) == word]
    found += [one for one in recipients if one.startswith("age1") and one.split()[1:] == [word]]
    if not found:
        known = ", ".join(shown_recipient(one) for one in recipients)
        if not word.startswith(("ssh-", "age1")) and not Path(word).expanduser().exists():
            raise UsageError(f"no recipient {word!r}", hint=f"there are {known}")
        keys = _read_keys(word)
        found = [one for one in recipients if any(same_recipient(one, key) for key in keys)]
        if not found:
            raise UsageError(f"{word[:40]!r} is no recipient", hint=f"there are {known}")
    return found
