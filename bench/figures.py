"""Figures: what was measured, what it is compared with, and whether the goal is met."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import msgspec

from bench.rounds import middle, noise_of

WIDTH = 80
ALIGNMENT = "lrlrll"


class Entry(TypedDict):
    """One figure as ``bench/results.json`` has it."""

    name: str
    unit: str
    ours: float
    peers: dict[str, float]
    ratio: float | None
    noise: float | None
    goal: float | None
    ok: bool


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: less of it is better.

    `peers` are the values of others for the same work; the ratio says how many times better than
    the best of them we are, and `goal` is the least it may be. A `yardstick` is something that is
    measured beside it, by its name; the ratio says how many times as much we need, and `goal` is
    the most it may be. Without either, `goal` is the most that ours may be. None: the figure is
    only told. `ratios` are those of the rounds, where they were measured in turn.
    """

    name: str
    unit: str
    ours: float
    peers: dict[str, float] = {}
    yardstick: dict[str, float] = {}
    goal: float | None = None
    ratios: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        """What tells the figure from all others: its name, and what it is compared with."""
        return " / ".join((self.name.strip(), *self.peers, *self.yardstick))

    @property
    def is_multiple(self) -> bool:
        """Whether the ratio is one of which less is better."""
        return bool(self.yardstick)

    @property
    def ratio(self) -> float | None:
        """How many times better than the best peer, or as much as the yardstick; else None."""
        if self.ratios:
            return middle(self.ratios)
        if self.yardstick:
            return self.ours / max(self.yardstick.values())
        return min(self.peers.values()) / self.ours if self.peers and self.ours else None

    @property
    def noise(self) -> float | None:
        """How far off the ratio may be by chance, as a share of it; None without rounds."""
        return noise_of(self.ratios) if len(self.ratios) > 1 else None

    @property
    def ok(self) -> bool:
        """Whether the goal is met."""
        if self.goal is None:
            return True
        ratio = self.ratio
        if ratio is None:
            return self.ours <= self.goal
        return ratio <= self.goal if self.is_multiple else ratio >= self.goal

    def to_entry(self) -> Entry:
        """The figure as it is written to ``results.json``, rounded to what is measured."""
        ratio, noise = self.ratio, self.noise
        beside = {**self.peers, **self.yardstick}
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": round(self.ours, 4),
            "peers": {name: round(value, 4) for name, value in beside.items()},
            "ratio": None if ratio is None else round(ratio, 2),
            "noise": None if noise is None else round(noise, 3),
            "goal": self.goal,
            "ok": self.ok,
        }


def versus_peer(
    name: str,
    peer: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    unit: str = "s",
    goal: float | None = None,
) -> Figure:
    """How many times better than a peer, of rounds in which both were measured."""
    return Figure(
        name=name,
        unit=unit,
        ours=middle(ours),
        peers={peer: middle(theirs)},
        goal=goal,
        ratios=tuple(their / our for our, their in zip(ours, theirs, strict=True)),
    )


def in_multiples(
    name: str,
    yardstick: str,
    ours: Sequence[float],
    measured: Sequence[float],
    *,
    unit: str = "s",
    goal: float | None = None,
) -> Figure:
    """How many times as much as a yardstick, of rounds in which both were measured."""
    return Figure(
        name=name,
        unit=unit,
        ours=middle(ours),
        yardstick={yardstick: middle(measured)},
        goal=goal,
        ratios=tuple(our / one for our, one in zip(ours, measured, strict=True)),
    )


def render_table(figures: Sequence[Figure]) -> str:
    """The figures as a table of at most 80 columns."""
    rows = [("FIGURE", "OURS", "BESIDE", "RATIO", "GOAL", "")]
    for figure in figures:
        beside = ", ".join(
            f"{name} {_amount(value, figure.unit)}"
            for name, value in {**figure.peers, **figure.yardstick}.items()
        )
        rows.append(
            (
                figure.name,
                _amount(figure.ours, figure.unit),
                beside,
                "" if figure.ratio is None else f"{figure.ratio:.1f}x",
                _goal(figure),
                "" if figure.goal is None else "ok" if figure.ok else "MISSED",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(_line(row, widths) for row in rows)


def write_results(path: Path, figures: Sequence[Figure], *, keeps: bool = False) -> None:
    """Writes the figures as a JSON list; with `keeps`, beside those of before that are others."""
    entries = [figure.to_entry() for figure in figures]
    if keeps and path.exists():
        known: list[Entry] = json.loads(path.read_text())
        fresh = {_entry_key(entry): entry for entry in entries}
        kept = [fresh.pop(_entry_key(entry), entry) for entry in known]
        entries = [*kept, *fresh.values()]
    path.write_text(json.dumps(entries, indent=2) + "\n")


def _entry_key(entry: Entry) -> tuple[str, ...]:
    return entry["name"], *entry["peers"]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if alignment == "r" else cell.ljust(width)
        for cell, width, alignment in zip(row, widths, ALIGNMENT, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    if figure.is_multiple:
        return f"<= {figure.goal:g}x"
    if figure.peers:
        return f">= {figure.goal:g}x"
    return f"<= {_amount(figure.goal, figure.unit)}"


def _amount(value: float, unit: str) -> str:
    digits = 0 if value >= 1000 or not unit else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}".rstrip()
