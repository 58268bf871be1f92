"""Secrets on the operator's machine: age (pyrage), and commands that print a value.

What is encrypted is the value with a line before it that names it, so that a value which somebody
moves to another name in secrets.yaml is refused there. In front of the random `key` that line
holds a digest of the recipients: a list that was changed by hand is noticed before anything is
encrypted to it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from skerry.edge.identities import Fault, Identities, read_identities, read_public_half
from skerry.edge.run import Command, run
from skerry.errors import CommandFailed, CommandMissing, SecretUnreadable, UsageError
from skerry.model.secret_value import SecretValue
from skerry.model.secrets_file import SecretsFile

KEY_BYTES = 32
# A command may ask its user something (a password store's agent does).
COMMAND_DEADLINE = 120.0
_VALUE, _KEY = "skerry-secret 1", "skerry-key 1"
_NO_PASSPHRASE = (
    "make a key without a passphrase for secrets alone: `ssh-keygen -t ed25519 -N '' -f "
    "~/.ssh/skerry`, set SKERRY_IDENTITY=~/.ssh/skerry, and let somebody who can read the secrets "
    "run `skerry secret rekey --add ~/.ssh/skerry.pub`"
)


class Vault:
    """secrets.yaml with the operator's keys: reads values. Keys are looked for when needed."""

    def __init__(self, file: SecretsFile, folder: Path) -> None:
        self.file = file
        self.folder = folder
        self._identities: Identities | None = None

    def read_key(self) -> SecretValue:
        """The random key of versions. Raises SecretUnreadable."""
        _, content = self._split(self.file.key, "key", _KEY)
        return content

    def has_known_recipients(self) -> bool:
        """Whether the recipients are those that the values are encrypted to."""
        words, _ = self._split(self.file.key, "key", _KEY)
        return words == recipients_digest(self.file.recipients)

    def read_value(self, name: str) -> SecretValue:
        """One value: decrypted, or what its command prints. Raises SecretUnreadable."""
        entry = self.file.secrets[name]
        if entry.value is None:
            return read_command(name, entry.command, self.folder)
        words, content = self._split(entry.value, name, _VALUE)
        if words != name:
            raise SecretUnreadable(
                f"secrets.yaml: what is under {name!r} was encrypted as {words!r}",
                hint=f"somebody moved it there; `skerry secret set {name}` sets it anew",
            )
        return content

    def _split(self, armored: str, name: str, kind: str) -> tuple[str, SecretValue]:
        """What the first line says after the kind, and what follows it."""
        head, _, content = self._decrypt(armored, name).partition(b"\n")
        found, _, words = head.decode(errors="replace").rpartition(" ")
        if found != kind:
            raise SecretUnreadable(
                f"secrets.yaml: {name!r} is encrypted, but not by skerry",
                hint=f"`skerry secret set {name}` sets it anew",
            )
        return words, SecretValue(content)

    def _decrypt(self, armored: str, name: str) -> bytes:
        import pyrage

        if self._identities is None:
            self._identities = read_identities()
        if not self._identities.keys:
            raise _no_identity(self._identities, self.file.recipients)
        try:
            return bytes(pyrage.decrypt(armored.encode(), self._identities.keys))
        except pyrage.DecryptError as error:
            if "No matching keys" in str(error):
                raise _no_match(self._identities, self.file.recipients) from None
            raise SecretUnreadable(
                f"secrets.yaml: {name!r} is damaged: {error}",
                hint=f"take it from git, or `skerry secret set {name}`",
            ) from None


def encrypt_value(name: str, value: SecretValue, recipients: Iterable[str]) -> str:
    """A value for `value:` of secrets.yaml, an armored age file."""
    return _encrypt(f"{_VALUE} {name}\n".encode() + value.reveal(), recipients)


def encrypt_key(key: SecretValue, recipients: Sequence[str]) -> str:
    """The text for `key:` of secrets.yaml."""
    head = f"{_KEY} {recipients_digest(recipients)}\n".encode()
    return _encrypt(head + key.reveal(), recipients)


def new_key() -> SecretValue:
    """A random key for versions."""
    return SecretValue(secrets.token_bytes(KEY_BYTES))


def read_command(name: str, argv: Sequence[str], folder: Path) -> SecretValue:
    """What the command of a secret prints, without one newline at the end.

    Raises SecretUnreadable; what the command printed is not shown.
    """
    command = Command(tuple(argv), cwd=str(folder))
    try:
        finished = run(command, timeout=COMMAND_DEADLINE, check=False)
    except (CommandFailed, CommandMissing) as error:
        raise SecretUnreadable(
            f"the command of the secret {name!r}: {error.message}", hint=error.hint
        ) from None
    printed = finished.stdout.removesuffix(b"\n")
    if finished.status != 0 or not printed:
        why = f"ended with status {finished.status}" if finished.status else "printed nothing"
        said = finished.error_text[-2000:]
        for line in finished.text.splitlines():
            # A script that traces itself says the value there too.
            said = said.replace(line, "[...]") if line.strip() else said
        raise SecretUnreadable(
            f"the command of the secret {name!r} {why}: {command}",
            detail=said,
            hint="its value is what it prints on standard output",
        )
    return SecretValue(printed)


def parse_recipient(text: str) -> str:
    """A public key as secrets.yaml has it, on one line. Raises UsageError for what is none."""
    import pyrage

    line = " ".join(text.split())
    try:
        _recipient(line)
    except pyrage.RecipientError:
        kind = line.partition(" ")[0]
        if "PRIVATE KEY" in text or line.startswith("AGE-SECRET-KEY-"):
            raise UsageError(
                "that is a private key: a recipient is a public one", hint="name the .pub file"
            ) from None
        raise UsageError(
            f"{kind[:40]!r} begins no public key that age takes",
            hint="it takes ssh-ed25519 ..., ssh-rsa ... and age1...",
        ) from None
    return line


def same_recipient(one: str, other: str) -> bool:
    """Whether two recipients are the same key, whatever their comments."""
    return _bare(one) == _bare(other)


def recipients_digest(recipients: Iterable[str]) -> str:
    """Changes when a recipient is added or removed, not with order or comments."""
    text = "\n".join(sorted(map(_bare, recipients)))
    return hashlib.sha256(text.encode()).hexdigest()


def own_recipients() -> list[str]:
    """The public halves of the operator's usable keys. Raises SecretUnreadable without any."""
    found = read_identities()
    if not found.recipients():
        raise _no_identity(found, ())
    return [parse_recipient(recipient) for recipient in found.recipients()]


def _encrypt(content: bytes, recipients: Iterable[str]) -> str:
    import pyrage

    keys = [_recipient(one) for one in recipients]
    return bytes(pyrage.encrypt(content, keys, armored=True)).decode().strip() + "\n"


def _recipient(line: str) -> object:
    import pyrage

    if line.startswith("age1"):
        return pyrage.x25519.Recipient.from_str(_bare(line))
    return pyrage.ssh.Recipient.from_str(_bare(line))


def _bare(recipient: str) -> str:
    """Without the comment."""
    words = recipient.split()
    return words[0] if recipient.startswith("age1") else " ".join(words[:2])


def _no_identity(found: Identities, recipients: Sequence[str]) -> SecretUnreadable:
    locked = [fault for fault in found.faults if fault.locked]
    detail = "\n".join(f"{fault.path}: {fault.why}" for fault in found.faults)
    if locked:
        return SecretUnreadable(
            "your key has a passphrase, and age cannot ask for that",
            detail=detail,
            hint=_unlock_hint(locked, recipients),
        )
    return SecretUnreadable(
        "there is no key here that can read secrets",
        detail=detail
        or "looked for SKERRY_IDENTITY, ~/.config/skerry/identity, ~/.ssh/id_ed25519 and "
        "~/.ssh/id_rsa",
        hint="`ssh-keygen -t ed25519` makes one; SKERRY_IDENTITY names one that lies elsewhere",
    )


def _no_match(found: Identities, recipients: Sequence[str]) -> SecretUnreadable:
    locked = [fault for fault in found.faults if fault.locked]
    lines = [f"{path}: not among the recipients" for path in found.paths]
    lines += [f"{fault.path}: {fault.why}" for fault in found.faults]
    hint = (
        "let somebody who can read it run `skerry secret rekey --add KEY` with your public key "
        "(~/.ssh/id_ed25519.pub), and commit the file"
    )
    if any(_is_recipient(fault, recipients) for fault in locked):
        hint = _unlock_hint(locked, recipients)
    return SecretUnreadable(
        f"secrets.yaml is encrypted to {len(recipients)} "
        f"{'key' if len(recipients) == 1 else 'keys'}, and none of yours is among them",
        detail="\n".join(lines),
        hint=hint,
    )


def _unlock_hint(locked: Sequence[Fault], recipients: Sequence[str]) -> str:
    own = next((fault for fault in locked if _is_recipient(fault, recipients)), None)
    if own is None and recipients:
        return _NO_PASSPHRASE
    path = (own or locked[0]).path
    first = (
        "make a key without a passphrase for secrets alone (`ssh-keygen -t ed25519 -N '' -f "
        "~/.ssh/skerry`) and set SKERRY_IDENTITY=~/.ssh/skerry"
    )
    if own is None:
        return first
    return (
        f"{first}; take the passphrase off {path} for a moment (`ssh-keygen -p -f {path}`) and run "
        f"`SKERRY_IDENTITY={path} skerry secret rekey --add ~/.ssh/skerry.pub`, or let somebody "
        "else who can read the secrets run that"
    )


def _is_recipient(fault: Fault, recipients: Sequence[str]) -> bool:
    public = read_public_half(fault.path)
    return public is not None and any(same_recipient(public, one) for one in recipients)
