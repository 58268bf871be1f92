"""Text for a terminal: colours where they are wanted, and foreign text made harmless."""

from __future__ import annotations

import os
import re
import sys
from typing import IO

# What a terminal obeys, or shows in another place or not at all: control characters, those that
# turn the direction of a text round or end a line, invisible ones, tags, halves of characters.
# Not the joiners (U+200C, U+200D), which some scripts are written with.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


def wants_colour(stream: IO[str] | None = None) -> bool:
    """Whether `stream` (standard output) is a terminal that shows colours.

    ``NO_COLOR`` turns them off, ``FORCE_COLOR`` on (no-color.org, force-color.org).
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


class Palette:
    """Paints words, or leaves them as they are."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on

    def paint(self, text: str, *styles: str) -> str:
        """`text` in the named styles (bold, dim, or a colour)."""
        if not self.is_on or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def visible(text: str) -> str:
    """Foreign text with what a terminal would obey shown as an escape; lines and tabs stay."""
    return _OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """The same where one line is due: a text that breaks it could pass for a line of ours."""
    return visible(text).replace("\n", "\\n").replace("\t", " ")


def format_bytes(count: float) -> str:
    """A size for people, in powers of 1000: ``999 B``, ``1.2 kB``, ``61.4 MB``."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """``1 node``, ``2 nodes``; `nouns` is the plural where it is not formed with an s."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
