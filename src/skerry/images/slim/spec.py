"""A spec: the paths that a workload needs, one a line, to be read, edited and united by people.

    # command: ["perl", "-e", "print 1"]
    /usr/bin/perl
    /usr/lib/x86_64-linux-gnu/perl-base/**

A path is written as it is, in quotes as JSON where it could be taken for something else. One that
ends with ``/**`` means all that is below the folder too. Lines that begin with ``#`` are left out,
but for the command, which is what a bundle runs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from skerry.errors import UsageError

BELOW = "/**"
_COMMAND = "# command: "


class Spec(msgspec.Struct, frozen=True):
    """The paths, sorted, each once; and the words of the command that they were found for."""

    paths: tuple[str, ...]
    command: tuple[str, ...] = ()


def render_spec(spec: Spec) -> str:
    """The text of a spec."""
    head = [_COMMAND + json.dumps(list(spec.command))] if spec.command else []
    return "\n".join([*head, *map(_written, sorted(set(spec.paths)))]) + "\n"


def parse_spec(text: str, name: str) -> Spec:
    """The spec that a text holds; `name` is that of its file, for messages.

    Raises `UsageError` with the line of what is no absolute path.
    """
    command: tuple[str, ...] = ()
    paths: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{name}:{number}"
        if line.startswith(_COMMAND):
            command = _parse_command(line.removeprefix(_COMMAND), place)
        elif line.strip() and not line.startswith("#"):
            paths.append(_parse_path(line, place))
    return Spec(tuple(sorted(set(paths))), command)


def unite_specs(specs: Sequence[Spec]) -> Spec:
    """All paths of several specs; the command is the first one's that has any."""
    commands = [spec.command for spec in specs if spec.command]
    paths = {path for spec in specs for path in spec.paths}
    return Spec(tuple(sorted(paths)), commands[0] if commands else ())


def _parse_command(text: str, place: str) -> tuple[str, ...]:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(
            f"{place}: the command is no list of words", hint='# command: ["perl", "-v"]'
        )
    return tuple(words)


def _parse_path(line: str, place: str) -> str:
    path: object = line
    if line.startswith('"'):
        try:
            path = json.loads(line)
        except ValueError:
            path = None
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise UsageError(
            f"{place}: {line[:80]!r} is no absolute path",
            hint="a line is one path, which begins with `/`; one that ends with `/**` means all "
            "that is below it too",
        )
    return path


def _written(path: str) -> str:
    is_plain = path.isprintable() and path == path.strip() and not path.endswith("\\")
    return path if is_plain else json.dumps(path)
