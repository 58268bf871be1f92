"""Clocks that do not agree: what goes by them, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# An answer may be under way for some time; what goes by clocks is not that exact, in seconds.
_TOLERATED = 120.0
_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"))


def clock_notes(facts: Mapping[str, Any], now: float) -> list[str]:
    """What is worth knowing of a node's clock; nothing where it and `now` agree.

    `now` is this machine's time, in seconds since 1970. Which of the two is wrong nobody knows.
    """
    if "time" not in facts:
        return []
    apart = float(facts["time"]) - now
    if abs(apart) < _TOLERATED:
        return []
    size, name = next((size, name) for size, name in _UNITS if abs(apart) >= size)
    count = round(abs(apart) / size)
    amount = f"{count} {name}{'s' if count != 1 else ''}"
    return [
        f"its clock is {amount} {'ahead of' if apart > 0 else 'behind'} this machine's: cron jobs, "
        "the times of logs and `logs --since` go by it (`timedatectl`)"
    ]
