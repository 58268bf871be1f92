"""Floors: no ratio may become worse than it was by more than the noise that was measured.

`bench/floors.json` has one entry per figure that is a ratio of rounds. A run's ratio is compared
with it, and both are taken to be as uncertain as their own rounds say. A ratio that has become
better raises no floor by itself: ``python -m bench --record`` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.figures import Figure

FLOORS = Path(__file__).with_name("floors.json")
# What the same code differs by from one run to another on the same machine, beyond the noise
# between the rounds of one run.
BETWEEN_RUNS = 0.10


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded `ratio` of a figure, and its `noise` as a share of it.

    `better` says which way is better: ``more`` of a ratio to a peer, ``less`` of a multiple.
    """

    ratio: float
    noise: float
    better: str


class Fall(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio that is worse than its floor: `worse` and `allowed` are shares of the floor."""

    figure: str
    ratio: float
    floor: float
    worse: float
    allowed: float

    def __str__(self) -> str:
        return (
            f"{self.figure}: {self.ratio:.2f}x, its floor is {self.floor:.2f}x: "
            f"{self.worse:.0%} worse, and noise explains {self.allowed:.0%}"
        )


def find_falls(figures: Iterable[Figure], floors: Mapping[str, Floor]) -> list[Fall]:
    """The figures that are worse than their floors by more than noise; others have no say."""
    falls = [try_fall(figure, floors[figure.key]) for figure in figures if figure.key in floors]
    return [fall for fall in falls if fall is not None]


def try_fall(figure: Figure, floor: Floor) -> Fall | None:
    """How far the figure is below its floor; None where it is not, or noise explains it."""
    ratio = figure.ratio
    if not ratio:
        return None
    times = floor.ratio / ratio if floor.better == "more" else ratio / floor.ratio
    allowed = BETWEEN_RUNS + floor.noise + (figure.noise or 0.0)
    if times - 1 <= allowed:
        return None
    return Fall(figure=figure.key, ratio=ratio, floor=floor.ratio, worse=times - 1, allowed=allowed)


def read_floors(path: Path = FLOORS) -> dict[str, Floor]:
    """The floors by the figures' keys; none where none were recorded."""
    if not path.exists():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Floor])


def write_floors(figures: Sequence[Figure], path: Path = FLOORS) -> dict[str, Floor]:
    """Records the ratios of these figures beside the floors of all others; returns all."""
    floors = {
        **read_floors(path),
        **{figure.key: floor_of(figure) for figure in recordable(figures)},
    }
    text = json.dumps(msgspec.to_builtins(dict(sorted(floors.items()))), indent=2)
    path.write_text(text + "\n")
    return floors


def recordable(figures: Iterable[Figure]) -> list[Figure]:
    """The figures that can have a floor: ratios of several rounds."""
    return [figure for figure in figures if figure.noise is not None and figure.ratio]


def floor_of(figure: Figure) -> Floor:
    """The floor that the figure would set."""
    return Floor(
        ratio=round(figure.ratio or 0.0, 4),
        noise=round(figure.noise or 0.0, 4),
        better="less" if figure.is_multiple else "more",
    )
