"""How many cases the properties of this folder are given, and how many they were: counted.

`SKERRY_FUZZ_CASES` is how many there are in all. `make test` asks for 20,000; without it there
are so few that nobody waits for them. Each property says its share of 20,000 (`cases`), and counts
every case that it was given (`count`); the end of the run shows the sums, those of the workers of
pytest-xdist included.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# What the shares of all properties come to (a test counts them).
WHOLE = 20_000
FEW = 600
WANTED = int(os.environ.get("SKERRY_FUZZ_CASES") or FEW)
# kind -> share of `WHOLE`, by property.
SHARES: Counter[str] = Counter()
_counted: Counter[str] = Counter()
_PROPERTY = "fuzz cases"


def cases(kind: str, share: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property's share of all cases. The innermost decorator but for ``given``."""
    SHARES[kind] += share
    return settings(
        max_examples=max(5, -(-share * WANTED // WHOLE)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def count(kind: str) -> None:
    """One case was given to a property."""
    _counted[kind] += 1


@pytest.hookimpl(wrapper=True)
def note_counted(item: pytest.Item) -> Generator[None, Any, Any]:
    """Puts the counts into the test's report, which workers send to where the run ends."""
    _counted.clear()
    try:
        return (yield)
    finally:
        if _counted:
            item.user_properties.append((_PROPERTY, dict(_counted)))


def counted_words(reports: list[Any]) -> str:
    """``fuzz: 20,000 cases: 6,000 of cloud folders, ...``; empty where there was none."""
    total: Counter[str] = Counter()
    for report in reports:
        for name, counts in getattr(report, "user_properties", ()):
            if name == _PROPERTY and report.when == "call":
                total.update(counts)
    if not total:
        return ""
    parts = ", ".join(f"{number:,} of {kind}" for kind, number in total.most_common())
    return f"fuzz: {total.total():,} cases: {parts}"
