"""Secrets in themselves: what can be said of them without decrypting anything."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from skerry.errors import Problem
from skerry.model.secret import Secret
from skerry.model.secret_text import parse_references

# What Kubernetes sets for all keys together (its validation, MaxSecretSize), and Podman for each.
MAX_SECRET_BYTES = 1024 * 1024
MAX_KEY_BYTES = 511_999

# Kubernetes "Secrets", "Types of Secret": all of the first must be there, or one of the second.
_ALL_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_ONE_KEY = {"kubernetes.io/basic-auth": ("username", "password")}
_JSON_KEYS = (".dockercfg", ".dockerconfigjson")
_REFUSED = {
    "kubernetes.io/service-account-token": "there are no service accounts here",
    "bootstrap.kubernetes.io/token": "nodes are added with `skerry node add`",
}


def check_secret(secret: Secret) -> list[Problem]:
    """The problems of a Secret in itself."""
    return [*_check_type(secret), *_check_contents(secret)]


def _check_type(secret: Secret) -> Iterator[Problem]:
    place = secret.origin.of("type")
    keys = {*secret.data, *secret.string_data}
    if secret.type in _REFUSED:
        yield place.problem(f"a Secret of type {secret.type} is refused: {_REFUSED[secret.type]}")
    elif secret.type in _ALL_KEYS:
        missing = [key for key in _ALL_KEYS[secret.type] if key not in keys]
        if missing:
            yield place.problem(
                f"a Secret of type {secret.type} must have the key {' and '.join(missing)}"
            )
    elif secret.type in _ONE_KEY:
        if keys.isdisjoint(_ONE_KEY[secret.type]):
            yield place.problem(
                f"a Secret of type {secret.type} must have the key "
                f"{' or '.join(_ONE_KEY[secret.type])}"
            )
    elif secret.type.partition("/")[0].endswith("kubernetes.io"):
        known = ", ".join(["Opaque", *sorted([*_ALL_KEYS, *_ONE_KEY])])
        yield place.problem(f"no Secret type {secret.type!r}", hint=f"there are {known}")


def _check_contents(secret: Secret) -> Iterator[Problem]:
    total = 0
    for key, text in secret.data.items():
        if key in secret.string_data:
            # As in Kubernetes: what is in stringData counts.
            continue
        place = secret.origin.of(f"data[{key}]")
        try:
            content = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            yield place.problem(
                f"the value of {key!r} is not base64", hint="plain text goes into stringData"
            )
            continue
        total += len(content)
        yield from _check_content(secret, key, f"data[{key}]", content)
    for key, text in secret.string_data.items():
        place = secret.origin.of(f"stringData[{key}]")
        names, is_whole = parse_references(text)
        if not is_whole:
            yield place.problem(
                f"the value of {key!r} has a `$(` without `)`",
                hint="$(NAME) is a value of secrets.yaml; write $$( for the characters $(",
            )
        if not names:
            content = text.replace("$$(", "$(").encode()
            total += len(content)
            yield from _check_content(secret, key, f"stringData[{key}]", content)
    if total > MAX_SECRET_BYTES:
        yield secret.origin.problem(
            f"Secret {secret.metadata.name!r} holds {total} bytes: at most {MAX_SECRET_BYTES} fit"
        )


def _check_content(secret: Secret, key: str, field: str, content: bytes) -> Iterator[Problem]:
    place = secret.origin.of(field)
    if not content:
        yield place.problem(
            f"the value of {key!r} is empty, and Podman keeps no empty secret",
            hint="leave the key out, with `optional: true` where it is used",
        )
    if len(content) > MAX_KEY_BYTES:
        yield place.problem(
            f"the value of {key!r} is {len(content)} bytes long: Podman keeps at most "
            f"{MAX_KEY_BYTES}"
        )
    if key in _JSON_KEYS and secret.type in _ALL_KEYS and not _is_json_object(content):
        yield place.problem(f"the value of {key!r} is not a JSON object, as {secret.type} wants it")


def _is_json_object(content: bytes) -> bool:
    import json

    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False
