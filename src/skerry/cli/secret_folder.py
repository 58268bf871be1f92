"""secrets.yaml of a cloud folder, opened to be read and changed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from skerry.cli.main import Settings
from skerry.compile.secrets import MAX_SECRET_BYTES
from skerry.edge.secrets import Vault, encrypt_key, new_key, own_recipients
from skerry.errors import UsageError
from skerry.model.secret_value import SecretValue
from skerry.model.secrets_file import SECRET_NAME_PATTERN, SecretEntry, SecretsFile


class Change:
    """Entries that are about to be written. `now` is what `since` says of them."""

    def __init__(self, recipients: tuple[str, ...]) -> None:
        self.recipients = recipients
        self.now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.entries: dict[str, SecretEntry] = {}

    def put(self, name: str, entry: SecretEntry) -> None:
        """Adds or replaces one."""
        self.entries[name] = entry


class SecretFolder:
    """The file as it is, None while there is none, and the keys to read it."""

    def __init__(self, folder: Path, file: SecretsFile | None) -> None:
        self.folder = folder
        self.there = file
        self.was_made = False

    @classmethod
    def open(cls, settings: Settings) -> SecretFolder:
        """The file of the cloud folder that the command line means. Raises CloudInvalid."""
        from skerry.load.cloud import find_cloud_folder
        from skerry.load.secrets_file import read_secrets_file

        folder = find_cloud_folder(settings.folder)
        return cls(folder, read_secrets_file(folder))

    @property
    def file(self) -> SecretsFile:
        """The file. Raises UsageError where there is none."""
        if self.there is None:
            raise UsageError(
                "there is no secrets.yaml in the cloud folder yet",
                hint="`skerry secret set NAME` makes it",
            )
        return self.there

    @property
    def vault(self) -> Vault:
        """What reads values."""
        return Vault(self.file, self.folder)

    def try_entry(self, name: str) -> SecretEntry | None:
        """The entry of a name, if it is there."""
        return self.there.secrets.get(name) if self.there is not None else None

    def entry(self, name: str) -> SecretEntry:
        """The entry of a name. Raises UsageError where it is not there."""
        found = self.file.secrets.get(name)
        if found is None:
            from skerry.load.unknown import nearest

            near = nearest(name, self.file.secrets)
            raise UsageError(
                f"there is no secret {name!r} in secrets.yaml",
                hint=f"did you mean {near!r}?" if near else "`skerry secret ls` lists them",
            )
        return found

    def read_value(self, name: str) -> SecretValue:
        """One value."""
        self.entry(name)
        return self.vault.read_value(name)

    def raise_unless_name(self, name: str) -> None:
        """Raises UsageError for what no secret can be called."""
        if not re.fullmatch(SECRET_NAME_PATTERN, name):
            raise UsageError(
                f"{name[:64]!r} is no secret's name",
                hint="a letter or '_', then letters, digits, '-', '_' and '.'",
            )

    def raise_unless_fits(self, name: str, value: SecretValue) -> None:
        """Raises UsageError for a value that Podman would not keep."""
        size = len(value.reveal())
        if not size:
            raise UsageError(f"the value of {name} is empty: Podman keeps no empty secret")
        if size > MAX_SECRET_BYTES:
            raise UsageError(
                f"the value of {name} is {size} bytes long: Podman keeps at most {MAX_SECRET_BYTES}"
            )

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Gathers entries and writes them at the end of the block, all or none.

        The recipients are those of the file, which must be those that its values are encrypted
        to; a folder without the file gets one, with the operator's own public keys.
        """
        from skerry.load.secrets_file import render_secrets_file, write_secrets_file

        if self.there is None:
            recipients = tuple(own_recipients())
            change = Change(recipients)
            yield change
            file = SecretsFile(recipients=recipients, key=encrypt_key(new_key(), recipients))
            # What could not be read again would be lost.
            Vault(file, self.folder).read_key()
            file = msgspec.structs.replace(file, secrets=change.entries)
            write_secrets_file(self.folder, render_secrets_file(file))
            self.there, self.was_made = file, True
            return
        self._raise_if_recipients_changed()
        change = Change(self.there.recipients)
        yield change
        self._write(change.entries)

    def remove(self, names: tuple[str, ...]) -> None:
        """Takes entries out of the file."""
        self._write(dict.fromkeys(names))

    def replace(self, file: SecretsFile) -> None:
        """Writes the whole file anew."""
        from skerry.load.secrets_file import render_secrets_file, write_secrets_file

        write_secrets_file(self.folder, render_secrets_file(file))
        self.there = file

    def made_words(self) -> str:
        """What to add to a message where the file is new."""
        if not self.was_made:
            return ""
        shown = ", ".join(shown_recipient(one) for one in self.file.recipients)
        return f"\nmade secrets.yaml, encrypted to {shown}; commit it"

    def _write(self, entries: dict[str, SecretEntry] | dict[str, None]) -> None:
        from skerry.load.secrets_file import NAME, change_entry, write_secrets_file

        text = (self.folder / NAME).read_text()
        for name, entry in entries.items():
            text = change_entry(text, name, entry)
        write_secrets_file(self.folder, text)

    def _raise_if_recipients_changed(self) -> None:
        if not self.vault.has_known_recipients():
            raise UsageError(
                "the recipients in secrets.yaml are not those that its values are encrypted to",
                hint="look at `git diff secrets.yaml`; `skerry secret rekey` encrypts all values "
                "to the recipients that are listed now",
            )


def shown_recipient(recipient: str) -> str:
    """A public key in a few words: its comment, or its end."""
    words = recipient.split()
    comment = " ".join(words[2:]) if not recipient.startswith("age1") else " ".join(words[1:])
    if comment:
        return f"{comment} ({words[0] if not recipient.startswith('age1') else 'age'})"
    return f"{words[0]} ...{words[1][-8:]}" if len(words) > 1 else f"{words[0][:12]}..."
