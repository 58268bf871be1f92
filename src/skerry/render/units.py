"""Amounts in few characters, for the cells of tables."""

from __future__ import annotations


def format_memory(count: int) -> str:
    """Memory in powers of 1024, as ``free -h`` has it: ``900K``, ``12M``, ``1.5G``."""
    size = count / 1024
    for unit in ("K", "M", "G"):
        if size < 999.5:
            return f"{size:.1f}{unit}" if unit == "G" and size < 10 else f"{size:.0f}{unit}"
        size /= 1024
    return f"{size:.1f}T"


def format_age(seconds: float) -> str:
    """A duration in its two greatest units at most: ``45s``, ``12m``, ``3h5m``, ``5d2h``."""
    total = int(seconds)
    if total < 60:
        return f"{total}s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if hours < 1:
        return f"{minutes}m"
    if days < 1:
        return _two(hours, "h", minutes % 60, "m")
    return _two(days, "d", hours % 24, "h") if days < 10 else f"{days}d"


def _two(first: int, first_unit: str, second: int, second_unit: str) -> str:
    return f"{first}{first_unit}" + (f"{second}{second_unit}" if second else "")
