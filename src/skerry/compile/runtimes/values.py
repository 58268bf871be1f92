"""Texts of which a part is known only on the node: what a variable or an argument may hold.

Whoever writes a value into a unit decides what becomes of the parts that are no text: a
`NodeVariable` is put in by systemd, and a `SecretKey` must never be in a unit at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from skerry.compile.runtimes.quadlet import quote_pieces

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))", re.DOTALL)


class SecretKey(msgspec.Struct, frozen=True):
    """The value of one key of a Secret."""

    secret: str
    key: str


class NodeVariable(msgspec.Struct, frozen=True):
    """A variable of the unit's environment on the node, set before the container is made.

    Its value has only letters, digits and ``.:,``: it is put in after all quoting.
    """

    name: str


Part: TypeAlias = str | SecretKey | NodeVariable
# Neighbours are never both text, and no text is empty; so an empty value has no parts.
Value: TypeAlias = tuple[Part, ...]


def text_value(text: str) -> Value:
    """A value that is only text."""
    return (text,) if text else ()


def try_text(value: Value) -> str | None:
    """The text of a value that is only text."""
    if not value:
        return ""
    return value[0] if len(value) == 1 and isinstance(value[0], str) else None


def secrets_of(value: Value) -> tuple[SecretKey, ...]:
    """The keys of Secrets that the value is put together from."""
    return tuple(part for part in value if isinstance(part, SecretKey))


def join_parts(parts: Iterable[Part]) -> Value:
    """The value of these parts one after the other."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def expand(text: str, variables: Mapping[str, Value]) -> Value:
    """Puts in the variables: ``$(NAME)`` is its value, ``$$`` is ``$``, and all else stays.

    A reference to a variable that is not there stays as it is written. Source: Kubernetes'
    package ``expansion``.
    """
    if "$" not in text:
        return text_value(text)
    parts: list[Part] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match[1] is None:
            parts.append("$")
        else:
            parts += variables.get(match[1], (match[0],))
    return join_parts([*parts, text[end:]])


def json_list(values: Iterable[Value]) -> Value:
    """A JSON list of texts."""
    parts: list[Part] = ["["]
    for number, value in enumerate(values):
        parts.append(', "' if number else '"')
        for part in value:
            is_text = isinstance(part, str)
            parts.append(json.dumps(part, ensure_ascii=False)[1:-1] if is_text else part)
        parts.append('"')
    return join_parts([*parts, "]"])


def quote_value_word(value: Value) -> str:
    """One word for a value that Quadlet makes a part of ``ExecStart=``.

    A `SecretKey` in it is a mistake of the caller.
    """
    pieces: list[tuple[str, str]] = []
    for part in value:
        assert not isinstance(part, SecretKey)
        pieces.append(("text", part) if isinstance(part, str) else ("variable", part.name))
    return quote_pieces(pieces)
