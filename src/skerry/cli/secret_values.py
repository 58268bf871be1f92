"""The values of secrets that a cloud's workloads need, read before anything is compiled."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from skerry.compile.lock import Lock
from skerry.compile.secrets import (
    MAX_SECRET_BYTES,
    KnownSecrets,
    needed_values,
    users_of_secrets,
)
from skerry.errors import SecretUnreadable
from skerry.model.cloud import Cloud
from skerry.model.secret_value import SecretValue

if TYPE_CHECKING:
    from skerry.edge.secrets import Vault


def read_secrets(folder: Path, cloud: Cloud, lock: Lock) -> tuple[KnownSecrets, Lock]:
    """The Secrets that workloads use, and the lock, which may have got a key of versions.

    Versions are keyed with the key of secrets.yaml. A cloud without that file has its values in
    plain in its manifests, so that its key may lie in cloud.lock, beside them: what matters is
    that the nodes do not have it. Raises `SecretUnreadable`.
    """
    if not users_of_secrets(cloud):
        return KnownSecrets.unknown(cloud.secrets), lock
    from skerry.edge.secrets import Vault, new_key

    if cloud.secrets_file is not None:
        vault = Vault(cloud.secrets_file, folder)
        values = _read_values(vault, needed_values(cloud))
        return KnownSecrets(cloud.secrets, values, vault.read_key()), lock
    if not lock.secret_key:
        text = b64encode(new_key().reveal()).decode()
        lock = msgspec.structs.replace(lock, secret_key=text)
    return KnownSecrets(cloud.secrets, {}, SecretValue(b64decode(lock.secret_key))), lock


def read_all_secrets(folder: Path, cloud: Cloud, lock: Lock) -> KnownSecrets:
    """All Secrets of the folder, whether something uses them or not.

    A value whose command fails now is left out. Raises `SecretUnreadable` where nothing can be
    decrypted.
    """
    if cloud.secrets_file is None:
        return KnownSecrets(cloud.secrets, {}, SecretValue(b64decode(lock.secret_key)))
    from skerry.edge.secrets import Vault

    vault = Vault(cloud.secrets_file, folder)
    key = vault.read_key()
    values: dict[str, SecretValue] = {}
    for name in cloud.secrets_file.secrets:
        try:
            values |= _read_values(vault, [name])
        except SecretUnreadable:
            continue
    return KnownSecrets(cloud.secrets, values, key)


def _read_values(vault: Vault, names: Collection[str]) -> dict[str, SecretValue]:
    values = {name: vault.read_value(name) for name in names}
    for name, value in values.items():
        size = len(value.reveal())
        if not 0 < size <= MAX_SECRET_BYTES:
            raise SecretUnreadable(
                f"the value of the secret {name!r} is {size} bytes long: Podman keeps secrets of "
                f"1 to {MAX_SECRET_BYTES}"
            )
    return values
