"""Quadlet's units, read as Quadlet and systemd do: split, escapes, specifiers, variables.

Sources: systemd.syntax(7) on quoting and C-style escapes, systemd.unit(5) on specifiers,
systemd.service(5) on variables. Written from those pages, not from what writes the units.
"""

from __future__ import annotations

import re

_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " ",
          "\\": "\\", '"': '"', "'": "'"}  # fmt: skip
_DIGITS = {"x": 2, "u": 4, "U": 8}


class Unit:
    """The entries of a unit, in order."""

    def __init__(self, entries: list[tuple[str, str]]) -> None:
        self.entries = entries

    def words(self, key: str) -> list[str]:
        """All words of the entries of this key, as the program in the container has them."""
        return [
            resolve(word) for name, value in self.entries if name == key for word in split(value)
        ]


def read_unit(text: str) -> Unit:
    """The entries, of whatever section."""
    entries = []
    for line in text.split("\n"):
        if line and line[0] not in "#;[":
            key, _, value = line.partition("=")
            entries.append((key.strip(), value.strip()))
    return Unit(entries)


def split(value: str) -> list[str]:
    """The words of a value, quotes taken off and escapes resolved."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    at = 0
    while at < len(value):
        sign = value[at]
        at += 1
        if quote and sign == quote:
            quote = ""
        elif not quote and sign in " \t\n\r":
            if word is not None:
                words.append(word)
                word = None
        elif not quote and sign in "\"'" and word is None:
            quote, word = sign, ""
        elif sign == "\\":
            escaped, at = unescape(value, at)
            word = (word or "") + escaped
        else:
            word = (word or "") + sign
    assert not quote, "a quote that is not closed"
    if word is not None:
        words.append(word)
    return words


def unescape(value: str, at: int) -> tuple[str, int]:
    """What an escape means, and where it ends."""
    sign = value[at]
    if sign in _DIGITS:
        end = at + 1 + _DIGITS[sign]
        return chr(int(value[at + 1 : end], 16)), end
    if sign in "01234567":
        return chr(int(value[at : at + 3], 8)), at + 3
    return _NAMED[sign], at + 1


def resolve(word: str) -> str:
    """The word with specifiers and variables put in: of these, our units use %% and %i and $$."""
    word = re.sub("%(.)", lambda match: {"%": "%", "i": ""}[match[1]], word, flags=re.DOTALL)
    return re.sub(r"\$(.)", lambda match: {"$": "$"}[match[1]], word, flags=re.DOTALL)
