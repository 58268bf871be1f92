"""Names that are given once among their like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from skerry.errors import Problem
from skerry.model.origin import Origin


class Named(Protocol):
    """Something with a name and a place."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> Origin: ...


def check_doubles(noun: str, items: Iterable[Named]) -> Iterator[Problem]:
    """A problem for each item whose name an earlier one has."""
    first: dict[str, int] = {}
    for item in items:
        if item.name in first:
            yield item.origin.of("name").problem(
                f"two {noun}s have the name {item.name!r}, the first in line {first[item.name]}"
            )
        first.setdefault(item.name, item.origin.line)
