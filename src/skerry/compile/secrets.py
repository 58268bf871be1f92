"""The contents of Secrets, and the names under which Podman keeps them on the nodes. Pure.

A name ends with a version, a hash of the content that is keyed with a random key: another content
is another name, so that just the pods that use it change; and who reads a name on a node, where
it is in unit files, cannot test guesses of the content.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from collections.abc import Iterator, Mapping

import msgspec

from skerry.model.cloud import Cloud
from skerry.model.pod import PodSpec
from skerry.model.secret import Secret
from skerry.model.secret_text import expand_references, parse_references
from skerry.model.secret_value import SecretValue

PREFIX = "skerry-"
# Podman before 4.6 takes names of at most 64 characters.
_NAME_LENGTH = 64
_VERSION_LENGTH = 16
# Podman keeps secrets of 1 to 511,999 bytes.
MAX_SECRET_BYTES = 511_999


class PodmanSecret(msgspec.Struct, frozen=True):
    """A secret as a node needs it.

    `of` says what it is (``db/password``; ``variable blog/web/URL``) and `value` what it holds,
    None where it is not known (`skerry check` decrypts nothing). One of an `immutable` Secret
    keeps its value for as long as a node uses it.
    """

    of: str
    value: SecretValue | None
    immutable: bool = False


class KnownSecrets:
    """The cloud's Secrets with their contents, as far as they are known.

    `values` are those of secrets.yaml that are known, by name; `key` makes the versions.
    """

    def __init__(
        self,
        secrets: Mapping[str, Secret],
        values: Mapping[str, SecretValue],
        key: SecretValue,
    ) -> None:
        self.secrets = secrets
        self._values = values
        self._key = key

    @classmethod
    def unknown(cls, secrets: Mapping[str, Secret]) -> KnownSecrets:
        """For checks: no value of secrets.yaml is known."""
        return cls(secrets, {}, SecretValue(b""))

    def try_read(self, secret: str, key: str) -> SecretValue | None:
        """The content of one key; None where a value that it refers to is not known."""
        manifest = self.secrets[secret]
        text = manifest.string_data.get(key)
        if text is None:
            return SecretValue(b64decode("".join(manifest.data[key].split())))
        values = self._values
        if any(name not in values for name in parse_references(text)[0]):
            return None
        return SecretValue(expand_references(text, lambda name: values[name].reveal()))

    def podman_secret(self, secret: str, key: str, variant: str = "") -> tuple[str, PodmanSecret]:
        """One key of a Secret under its name on a node; each `variant` has a name of its own."""
        value = self.try_read(secret, key)
        words = ("secret", secret, key, *([variant] if variant else []))
        name = self._name(f"{secret}-{key}", words, value)
        immutable = self.secrets[secret].immutable
        return name, PodmanSecret(f"{secret}/{key}", value, immutable)

    def composed_secret(
        self, workload: str, container: str, variable: str, value: SecretValue | None
    ) -> tuple[str, PodmanSecret]:
        """A variable that was made of secret ones, under its name on a node."""
        words = ("variable", workload, container, variable)
        name = self._name(f"{workload}-{container}-{variable}", words, value)
        return name, PodmanSecret(f"variable {workload}/{container}/{variable}", value)

    def all_secrets(self) -> dict[str, PodmanSecret]:
        """All keys of all Secrets whose values are known, by their names on a node."""
        found = {}
        for secret, manifest in self.secrets.items():
            for key in secret_keys(manifest):
                name, one = self.podman_secret(secret, key)
                if one.value is not None:
                    found[name] = one
        return found

    def _name(self, label: str, words: tuple[str, ...], value: SecretValue | None) -> str:
        version = "0" * _VERSION_LENGTH
        if value is not None:
            # Each part with its length, so that no two lists of parts are the same bytes.
            parts = [word.encode() for word in words] + [value.reveal()]
            message = b"".join(b"%d:%b" % (len(part), part) for part in parts)
            digest = hmac.new(self._key.reveal(), message, hashlib.sha256)
            version = digest.hexdigest()[:_VERSION_LENGTH]
        room = _NAME_LENGTH - len(PREFIX) - len(version) - 1
        return f"{PREFIX}{label[:room].rstrip('-_.')}-{version}"


def secret_keys(secret: Secret) -> list[str]:
    """The keys of a Secret, sorted."""
    return sorted({*secret.data, *secret.string_data})


def used_secrets(spec: PodSpec) -> Iterator[str]:
    """The Secrets that a pod refers to, by name, optional ones too."""
    for volume in spec.volumes:
        if volume.secret is not None:
            yield volume.secret.secret_name
        if volume.projected is not None:
            for source in volume.projected.sources:
                if source.secret is not None:
                    yield source.secret.name
    for container in spec.all_containers:
        for variable in container.env:
            if variable.value_from is not None and variable.value_from.secret_key_ref is not None:
                yield variable.value_from.secret_key_ref.name
        for several in container.env_from:
            if several.secret_ref is not None:
                yield several.secret_ref.name


def users_of_secrets(cloud: Cloud) -> dict[str, list[str]]:
    """The workloads that use each Secret, by the Secret's name; only Secrets that are there."""
    users: dict[str, list[str]] = {}
    for workload in cloud.workloads.values():
        for name in sorted(set(used_secrets(workload.spec))):
            if name in cloud.secrets:
                users.setdefault(name, []).append(workload.name)
    return users


def needed_values(cloud: Cloud) -> list[str]:
    """The names of secrets.yaml that the cloud's workloads need, sorted."""
    found: set[str] = set()
    for name in users_of_secrets(cloud):
        for text in cloud.secrets[name].string_data.values():
            found.update(parse_references(text)[0])
    return sorted(found)
