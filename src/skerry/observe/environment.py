"""The variables that a unit's container shall have, out of its Quadlet file. Pure.

Sources: systemd.exec(5) on ``Environment=``, systemd.syntax(7) on quoting and escapes,
systemd.unit(5) on ``%%``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from skerry_node import wire

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|((?:[^\s"\'\\]|\\.)+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|(.))", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "s": " ", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def desired_environments(
    desired: wire.Manifest, texts: Mapping[str, str | None]
) -> dict[str, dict[str, str]]:
    """Each unit's variables, for units with a Quadlet file whose text is in `texts`, by path."""
    found = {}
    for unit, entry in desired["units"].items():
        name = f"/{unit.removesuffix('.service')}.container"
        for path in entry["files"]:
            text = texts.get(path)
            if path.endswith(name) and text is not None:
                found[unit] = parse_environment(text)
    return found


def parse_environment(text: str) -> dict[str, str]:
    """The variables that a ``.container`` file sets; a later one of the same name counts."""
    variables: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Container]" and line.startswith("Environment="):
            for word in _split_words(line.partition("=")[2]):
                name, equals, value = word.partition("=")
                if equals:
                    variables[name] = value
    return variables


def _split_words(value: str) -> list[str]:
    """The words of a value: quotes taken off, escapes and ``%%`` resolved."""
    words = []
    for match in _WORD.finditer(value):
        raw = next(group for group in match.groups() if group is not None)
        words.append(_ESCAPE.sub(_unescaped, raw).replace("%%", "%").replace("$$", "$"))
    return words


def _unescaped(match: re.Match[str]) -> str:
    two, four, octal, one = match.groups()
    if two or four:
        return chr(int(two or four, 16))
    if octal:
        return chr(int(octal, 8))
    return _NAMED.get(one, one)
