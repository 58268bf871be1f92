"""What was written on a machine between two looks, with modes and owners."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.file_modes import Written


class Entry(NamedTuple):
    """A file or folder: `kind` is a letter of find(1), `stamp` another one after each change."""

    kind: str
    mode: str
    owner: str
    stamp: str


def find_command(folders: Iterable[str], left_out: Iterable[str]) -> str:
    """The shell command that prints all that lies below folders, for `parse_found`."""
    prune = " -o ".join(f"-path '{path}'" for path in left_out) or "-false"
    show = r"%y\t%m\t%u:%g\t%C@.%i\t%p\0"
    return f"find {' '.join(folders)} \\( {prune} \\) -prune -o -printf '{show}'"


def parse_found(printed: bytes) -> dict[str, Entry]:
    """What find printed, by path."""
    found = {}
    for line in printed.decode(errors="surrogateescape").split("\0"):
        if line:
            kind, mode, owner, stamp, path = line.split("\t", 4)
            found[path] = Entry(kind, mode, owner, stamp)
    return found


def written_since(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> dict[str, Entry]:
    """What is new or was written anew. A folder in which something changed was not itself written;
    a changed mode or owner counts."""
    found = {}
    for path, entry in after.items():
        old = before.get(path)
        is_folder = old is not None and entry.kind == old.kind == "d"
        if old is None or (entry[:3] != old[:3] if is_folder else entry != old):
            found[path] = entry
    return found


def faults_of(found: Mapping[str, Entry], table: Iterable[Written], *, umask: int = 0) -> list[str]:
    """Where a table and what was found disagree, both ways. A link's own mode means nothing."""
    rows = list(table)
    faults, unseen = [], set(rows)
    for path, entry in sorted(found.items()):
        row = next((one for one in rows if one.matches(path)), None)
        if row is None:
            faults.append(f"{path}: {entry.kind} {entry.mode} {entry.owner}: not in the table")
            continue
        unseen.discard(row)
        mode = f"{int(row.mode, 8) & ~(umask if row.umask else 0):o}"
        if entry.kind != "l" and (entry.mode, entry.owner) != (mode, row.owner):
            faults.append(f"{path}: {entry.mode} {entry.owner}, not {mode} {row.owner}")
    return faults + [f"{row.path}: in the table, and nowhere else" for row in sorted(unseen)]
