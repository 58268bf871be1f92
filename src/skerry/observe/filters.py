"""Which workloads a command line means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from skerry.errors import UsageError


def select_workloads(patterns: Sequence[str], known: Iterable[str]) -> set[str]:
    """The known names that the patterns (names or wildcards) mean; all without patterns.

    Raises `UsageError` for a pattern that means none.
    """
    names = sorted(set(known))
    if not patterns:
        return set(names)
    chosen: set[str] = set()
    for pattern in patterns:
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            raise UsageError(f"no workload {pattern!r}", hint=_nearest(pattern, names))
        chosen.update(found)
    return chosen


def _nearest(pattern: str, names: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(pattern, names, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"workloads: {', '.join(names) or 'none'}"
