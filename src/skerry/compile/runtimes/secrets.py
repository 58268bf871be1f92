"""A container's secrets: variables and files out of Podman's store, never out of a unit.

Podman reads a secret when it makes the container, so that the unit has its name alone. Source:
podman-run(1) on ``--secret``; Kubernetes "Secrets".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from skerry.compile.runtimes.environment import Variable
from skerry.compile.runtimes.quadlet import ARGUMENT_LIMIT, Section, quote_word
from skerry.compile.runtimes.sources import Instance, Sources
from skerry.compile.runtimes.values import NodeVariable, SecretKey, Value, expand, secrets_of
from skerry.compile.secrets import MAX_SECRET_BYTES, PodmanSecret
from skerry.errors import Problem
from skerry.model.container import Container
from skerry.model.origin import Origin
from skerry.model.secret_value import SecretValue


class SecretFile(msgspec.Struct, frozen=True):
    """A key of a Secret as a file in a container: at `target`, an absolute path there."""

    target: str
    key: SecretKey
    mode: int
    group: int
    origin: Origin


class UsedSecrets(msgspec.Struct, frozen=True):
    """The lines for [Container], and the secrets that the node must have for them, by name."""

    lines: Section
    secrets: dict[str, PodmanSecret]


def compile_secrets(
    instance: Instance,
    container: Container,
    variables: Mapping[str, Variable],
    files: tuple[SecretFile, ...],
    sources: Sources,
    problems: list[Problem],
) -> UsedSecrets:
    """The secrets of one container: variables with a secret in their values, and files."""
    found = UsedSecrets([], {})
    for name, variable in variables.items():
        if not secrets_of(variable.value):
            continue
        secret = _variable_secret(instance, container, name, variable, sources, problems)
        if secret is not None:
            _add(found, *secret, f"type=env,target={name}")
    modes: dict[str, tuple[int, int]] = {}
    for file in files:
        if "," in file.target:
            problems.append(
                file.origin.problem(
                    f"{file.target}: Podman cannot mount a secret at a path with a comma"
                )
            )
            continue
        name, one = sources.secrets.podman_secret(file.key.secret, file.key.key)
        rights = file.mode, file.group
        if modes.setdefault(name, rights) != rights:
            # In a container Podman keeps one copy of each secret, with one mode.
            variant = f"{file.mode:04o} {file.group}"
            name, one = sources.secrets.podman_secret(file.key.secret, file.key.key, variant)
        words = f"type=mount,target={file.target},mode={file.mode:04o},uid=0,gid={file.group}"
        _add(found, name, one, words)
    return found


def check_secret_words(
    container: Container, variables: Mapping[str, Variable]
) -> Iterator[Problem]:
    """Secrets in `command` and `args`, where everybody on the node could read them."""
    values = {name: variable.value for name, variable in variables.items()}
    for field in ("command", "args"):
        for index, word in enumerate(getattr(container, field)):
            place = f"{field}[{index}]"
            keys = secrets_of(expand(word, values))
            if keys:
                named = next(
                    name
                    for name, value in values.items()
                    if f"$({name})" in word and secrets_of(value)
                )
                yield container.origin.of(place).problem(
                    f"{place} has $({named}) in it, which is secret ({keys[0].secret}/"
                    f"{keys[0].key}): a command line is in the unit's file and in the node's "
                    "process list",
                    hint=f"let a shell in the container read the variable: [sh, -c, 'exec PROGRAM "
                    f'"${named}"\'], or mount the Secret as a file',
                )


def _add(found: UsedSecrets, name: str, secret: PodmanSecret, words: str) -> None:
    found.lines.append(("PodmanArgs", quote_word(f"--secret={name},{words}")))
    found.secrets[name] = secret


def _variable_secret(
    instance: Instance,
    container: Container,
    name: str,
    variable: Variable,
    sources: Sources,
    problems: list[Problem],
) -> tuple[str, PodmanSecret] | None:
    """What Podman keeps for a variable: the key's own secret, or one made for it."""
    known, value = sources.secrets, variable.value
    if any(isinstance(part, NodeVariable) for part in value):
        problems.append(
            variable.origin.problem(
                f"variable {name!r} is put together from a secret and from what only the node "
                "knows: Podman keeps a secret as it was sent",
                hint="give the parts as variables of their own",
            )
        )
        return None
    content = _join(value, sources)
    problems += _check_variable(name, variable.origin, content)
    if len(value) == 1 and isinstance(value[0], SecretKey):
        return known.podman_secret(value[0].secret, value[0].key)
    return known.composed_secret(instance.workload.name, container.name, name, content)


def _join(value: Value, sources: Sources) -> SecretValue | None:
    """The value with its secrets put in; None while one of them is not known."""
    parts = []
    for part in value:
        if isinstance(part, SecretKey):
            content = sources.secrets.try_read(part.secret, part.key)
            if content is None:
                return None
            parts.append(content.reveal())
        elif isinstance(part, str):
            parts.append(part.encode())
    return SecretValue(b"".join(parts))


def _check_variable(name: str, origin: Origin, content: SecretValue | None) -> Iterator[Problem]:
    """What no variable can hold. Not a word of the value itself."""
    if content is None:
        return
    revealed = content.reveal()
    hint = "mount the Secret as a file"
    if b"\0" in revealed:
        yield origin.problem(
            f"variable {name!r}: the secret has a zero byte in it, which no variable can hold",
            hint=hint,
        )
    try:
        revealed.decode()
    except UnicodeDecodeError:
        yield origin.problem(
            f"variable {name!r}: the secret is not UTF-8 text, and a container's variables are",
            hint=hint,
        )
    limit = min(ARGUMENT_LIMIT, MAX_SECRET_BYTES)
    if len(name) + len(revealed) + 2 > limit:
        yield origin.problem(
            f"variable {name!r}: the secret is {len(revealed)} bytes long: Linux passes at most "
            f"{limit - len(name) - 2} on",
            hint=hint,
        )
