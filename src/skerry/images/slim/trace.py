"""What one or several runs touched of a root file system."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from skerry.images.slim.syscalls import MADE, REMOVED, WRITTEN


class Trace:
    """Paths that were touched, with what was done there, and paths that were looked for in vain.

    `touched` has for each path what was done there, in the order in which it was first done.
    Paths are absolute and may hold ``..`` and symbolic links.
    """

    def __init__(self) -> None:
        self.touched: dict[str, dict[str, None]] = {}
        self.missed: dict[str, None] = {}

    def touch(self, path: str, how: str) -> None:
        """Something was done with a path."""
        self.touched.setdefault(path, {})[how] = None

    def miss(self, path: str) -> None:
        """A path was looked for and was not there."""
        self.missed[path] = None

    def needed(self) -> list[str]:
        """The paths that must have been there before the run, sorted.

        What the run made, and only then used, is not among them: the first thing that was done
        with it was to make it.
        """
        return sorted(path for path, how in self.touched.items() if next(iter(how)) != MADE)

    def made_in(self) -> list[str]:
        """The folders in which something was made, sorted: they must be there though nothing of
        theirs was needed."""
        first = {path: next(iter(how)) for path, how in self.touched.items()}
        folders = {posixpath.dirname(path) for path, how in first.items() if how in (MADE, WRITTEN)}
        return sorted(path for path in folders if first.get(path) != MADE)

    def removed(self) -> list[str]:
        """The paths that something was removed from, sorted."""
        return sorted(path for path, how in self.touched.items() if REMOVED in how)


def unite(traces: Iterable[Trace]) -> Trace:
    """What all of these runs touched. A path that one of them needed is needed."""
    united = Trace()
    for trace in traces:
        for path, how in trace.touched.items():
            known = united.touched.get(path)
            if known is None or next(iter(known)) == MADE:
                united.touched[path] = {**how, **(known or {})}
            else:
                known.update(how)
        united.missed.update(trace.missed)
    return united
