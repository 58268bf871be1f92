"""The operator's private keys, which read secrets.yaml: SSH keys and age identities."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import CommandFailed, CommandMissing, SecretUnreadable

if TYPE_CHECKING:
    from typing import Any

VARIABLE = "SKERRY_IDENTITY"
_SSH_KEYS = ("id_ed25519", "id_rsa")
_AGE_KEY = "AGE-SECRET-KEY-"
# What pyrage says of an OpenSSH key, and of a PEM file, that has a passphrase.
_LOCKED = ("must be decrypted first", "EncryptedPem", "Encrypted")
_ARMORED_AGE = ("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----")


class Fault(msgspec.Struct, frozen=True):
    """A key file that cannot be used, and why; `locked` is one with a passphrase."""

    path: str
    why: str
    locked: bool = False


class Identities:
    """The private keys that were found; `faults` are files that are no use."""

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.paths: list[str] = []
        self.faults: list[Fault] = []
        self._recipients: list[str] = []

    def recipients(self) -> list[str]:
        """The public halves, as secrets.yaml lists them."""
        return list(self._recipients)

    def add(self, path: Path, text: bytes) -> None:
        """Adds what a file holds: age identities, or one SSH key."""
        import pyrage

        shown = _shown(path)
        words = text.decode(errors="replace")
        if words.startswith(_ARMORED_AGE):
            self.faults.append(Fault(shown, "it is an age file with a passphrase", locked=True))
            return
        lines = [line.strip() for line in words.splitlines()]
        found = [line for line in lines if line.startswith(_AGE_KEY)]
        try:
            if found:
                identities = [pyrage.x25519.Identity.from_str(line) for line in found]
                self.keys += identities
                self._recipients += [str(one.to_public()) for one in identities]
            else:
                self.keys.append(pyrage.ssh.Identity.from_buffer(text))
                self._recipients += _public_halves(path)
        except pyrage.IdentityError as error:
            locked = any(word in str(error) for word in _LOCKED)
            why = "it has a passphrase" if locked else _why(str(error))
            self.faults.append(Fault(shown, why, locked=locked))
            return
        self.paths.append(shown)


def read_identities() -> Identities:
    """The keys of ``SKERRY_IDENTITY`` (files, with ``:`` between them), or else those of the usual
    places: ``~/.config/skerry/identity``, ``~/.ssh/id_ed25519`` and ``~/.ssh/id_rsa``.

    Raises SecretUnreadable where ``SKERRY_IDENTITY`` names a file that cannot be read.
    """
    found = Identities()
    named = os.environ.get(VARIABLE, "")
    paths = [Path(word).expanduser() for word in named.split(os.pathsep) if word]
    for path in paths or default_places():
        try:
            content = path.read_bytes()
        except OSError as error:
            if paths:
                raise SecretUnreadable(
                    f"{VARIABLE}: {_shown(path)} cannot be read: {error.strerror}",
                    hint=f"{VARIABLE} names a private key: an SSH key or an age identity file",
                ) from None
            continue
        found.add(path, content)
    return found


def default_places() -> list[Path]:
    """Where keys are looked for without ``SKERRY_IDENTITY``."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [config / "skerry/identity", *(Path.home() / ".ssh" / name for name in _SSH_KEYS)]


def read_public_half(path: str) -> str | None:
    """The public key beside a private one, or None where there is no such file."""
    try:
        text = Path(f"{path}.pub").expanduser().read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return text.strip() or None


def _public_halves(path: Path) -> list[str]:
    beside = read_public_half(str(path))
    if beside is not None:
        return [beside]
    try:
        return [run(Command.of("ssh-keygen", "-y", "-P", "", "-f", path)).text]
    except (CommandFailed, CommandMissing):
        return []


def _why(said: str) -> str:
    if "unsupported" in said.lower():
        return "it is of a kind that age does not take (ssh-ed25519 and ssh-rsa it does)"
    return "it is no SSH key and no age identity"


def _shown(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)
