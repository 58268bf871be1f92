"""Names that hold a revision: ``skerry-web.0-1a2b3c4d.service``."""

from __future__ import annotations

import re

# Hexadecimal digits of a revision.
LENGTH = 8
_REVISION = rf"-[0-9a-f]{{{LENGTH}}}(?![0-9a-z])"
_TAIL = re.compile(r"(skerry-[^./]+\.\d+)" + _REVISION)


def has_revision(unit: str) -> bool:
    """Whether the unit's name holds a revision."""
    return _TAIL.match(unit) is not None


def without_revision(text: str) -> str:
    """A path or name as it is for all revisions."""
    return _TAIL.sub(r"\1", text)


def any_revision(unit: str) -> str:
    """A pattern, as in a shell, for the unit in all of its revisions."""
    return _TAIL.sub(rf"\1-{'?' * LENGTH}", unit)


def renamed(text: str | None, path: str) -> str | None:
    """The text of another revision of a file, with this one's revision wherever it has its own."""
    tail = _TAIL.search(path)
    if text is None or tail is None:
        return text
    return re.sub(re.escape(tail[1]) + _REVISION, tail[0], text)
