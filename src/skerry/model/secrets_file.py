"""``secrets.yaml``: named values, each encrypted to the operators' keys (age-encryption.org)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from skerry.model.origin import Located

SECRET_NAME_PATTERN = r"^[A-Za-z_][-A-Za-z0-9_.]{0,127}$"

SecretName = Annotated[
    str,
    msgspec.Meta(
        pattern=SECRET_NAME_PATTERN,
        description="a secret's name: letters, digits, '-', '_' and '.', a letter or '_' first "
        "(at most 128 characters)",
    ),
]
Recipient = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$|^age1[a-z0-9]+( .*)?$",
        description="a public key: ssh-ed25519 ..., ssh-rsa ... or age1...",
    ),
]


class SecretEntry(Located, frozen=True, kw_only=True, rename="kebab"):
    """One secret: an encrypted `value`, or a `command` that prints it.

    `value` is an armored age file; `since` the moment it was last set. The command is a program
    with its arguments, run in the cloud folder when the value is needed; one newline at the end
    of what it prints is left out.
    """

    value: str | None = None
    command: tuple[str, ...] = ()
    since: str | None = None


class SecretsFile(Located, frozen=True, kw_only=True, rename="kebab"):
    """``secrets.yaml``. It is safe to commit.

    `recipients` are the public keys of the operators: whoever has the private half of one can
    read all values. `key` is random, encrypted like a value: a secret's version on a node is a
    hash that is keyed with it, so that nobody there can test guesses.
    """

    recipients: Annotated[tuple[Recipient, ...], msgspec.Meta(min_length=1)]
    key: str
    secrets: dict[SecretName, SecretEntry] = {}
