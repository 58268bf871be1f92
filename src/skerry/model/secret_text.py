"""Texts of a Secret's `stringData`: ``$(NAME)`` is a value of secrets.yaml, ``$$(`` is ``$(``."""

from __future__ import annotations

import re
from collections.abc import Callable

_REFERENCE = re.compile(r"\$\$\(|\$\(([^()\n]*)(\)?)")


def parse_references(text: str) -> tuple[list[str], bool]:
    """The names that a text refers to, each once; and whether every reference ends with ``)``."""
    names: dict[str, None] = {}
    is_whole = True
    for match in _REFERENCE.finditer(text):
        if match[1] is None:
            continue
        if match[2]:
            names[match[1]] = None
        else:
            is_whole = False
    return list(names), is_whole


def expand_references(text: str, value_of: Callable[[str], bytes]) -> bytes:
    """The text with the values put in."""
    parts: list[bytes] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        parts.append(text[at : match.start()].encode())
        parts.append(b"$(" if match[1] is None else value_of(match[1]))
        at = match.end()
    parts.append(text[at:].encode())
    return b"".join(parts)


def escape_references(text: str) -> str:
    """A text that means just itself when it is written into `stringData`."""
    return text.replace("$(", "$$(")
