"""Figures: what was measured, what the peers needed, and whether the goal is met."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TypedDict

import msgspec

WIDTH = 80
ALIGNMENT = "lrlrll"


class Entry(TypedDict):
    """One figure as ``bench/results.json`` has it."""

    name: str
    unit: str
    ours: float
    peers: dict[str, float]
    ratio: float | None
    goal: float | None
    ok: bool


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: less is better.

    `peers` are the values of others for the same work. With peers, `goal` is how many times
    better than the best of them we must be; without, the most that ours may be. None: the
    figure is only told.
    """

    name: str
    unit: str
    ours: float
    peers: dict[str, float] = {}
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better than the best peer; None without one."""
        return min(self.peers.values()) / self.ours if self.peers and self.ours else None

    @property
    def ok(self) -> bool:
        """Whether the goal is met."""
        if self.goal is None:
            return True
        ratio = self.ratio
        return self.ours <= self.goal if ratio is None else ratio >= self.goal

    def to_entry(self) -> Entry:
        """The figure as it is written to ``results.json``, rounded to what is measured."""
        ratio = self.ratio
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 4),
            "peers": {name: round(value, 4) for name, value in self.peers.items()},
            "ratio": None if ratio is None else round(ratio, 2),
            "goal": self.goal,
            "ok": self.ok,
        }


def middle(values: Sequence[float]) -> float:
    """The median: one slow round on a busy machine does not decide."""
    return median(values)


def render_table(figures: Sequence[Figure]) -> str:
    """The figures as a table of at most 80 columns."""
    rows = [("FIGURE", "OURS", "PEER", "RATIO", "GOAL", "")]
    for figure in figures:
        peers = ", ".join(
            f"{name} {_amount(value, figure.unit)}" for name, value in figure.peers.items()
        )
        rows.append(
            (
                figure.name,
                _amount(figure.ours, figure.unit),
                peers,
                "" if figure.ratio is None else f"{figure.ratio:.1f}x",
                _goal(figure),
                "" if figure.goal is None else "ok" if figure.ok else "MISSED",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(_line(row, widths) for row in rows)


def write_results(path: Path, figures: Sequence[Figure]) -> None:
    """Writes the figures as a JSON list."""
    path.write_text(json.dumps([figure.to_entry() for figure in figures], indent=2) + "\n")


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if alignment == "r" else cell.ljust(width)
        for cell, width, alignment in zip(row, widths, ALIGNMENT, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    if figure.peers:
        return f">= {figure.goal:g}x"
    return f"<= {_amount(figure.goal, figure.unit)}"


def _amount(value: float, unit: str) -> str:
    digits = 0 if value >= 1000 or not unit else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}".rstrip()
