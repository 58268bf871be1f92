"""The same apply with the nodes farther away: what a round trip costs, and how many there are."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.figures import Figure
from bench.lab import skerry
from bench.measure import Run
from bench.rounds import interleave, middle
from bench.stage import Stage
from bench.trips import LONG, LongWay, bench_trips
from bench.verbs import noop_apply

ROUND_TRIP = 0.05
ROUNDS = 9


def bench_distance(stage: Stage) -> list[Figure]:
    """An apply with nothing to change over connections that stand, 50 ms away and next door; and
    how many round trips it is on the wire."""
    near, _ = make_distant(stage, "near", 0.0)
    far, _ = make_distant(stage, "far", ROUND_TRIP)
    farthest, way = make_distant(stage, "farthest", LONG)
    # The connections, and what is remembered.
    for folder in (near, far, near, far):
        noop_apply(folder)
    runs = interleave(
        {"near": lambda: noop_apply(near), "far": lambda: noop_apply(far)},
        rounds=max(ROUNDS, stage.rounds),
    )
    for _ in range(2):
        noop_apply(farthest)
    host = next(iter(stage.lab.addresses.values()))
    apply = skerry("apply", "--yes", folder=farthest)
    return [
        *figures_of(runs["near"], runs["far"]),
        *bench_trips(way, host, stage.work / "ssh", apply),
    ]


def figures_of(near: list[Run], far: list[Run]) -> list[Figure]:
    """The figures of rounds, by the clock.

    What is computed while an answer is on its way hides a part of the trip: so how many there are
    is a goal on the wire alone (`bench/trips.py`), where a faster start makes it no worse.
    """
    trips = [(there.wall - here.wall) / ROUND_TRIP for here, there in zip(near, far, strict=True)]
    return [
        Figure(
            name="apply, nothing to change, 50 ms away",
            unit="s",
            ours=middle([run.wall for run in far]),
        ),
        Figure(name="  later than next door", unit="RTT", ours=middle(trips)),
    ]


def make_distant(stage: Stage, name: str, round_trip: float) -> tuple[Path, LongWay]:
    """A copy of the stage's cloud folder, so many seconds of round trip away from its nodes."""
    folder = stage.work / name
    return folder, copy_far(stage.cloud, folder, stage.lab.ssh_config, round_trip)


def copy_far(cloud: Path, folder: Path, ssh_config: Path, round_trip: float) -> LongWay:
    """Copies a cloud folder into a new one, whose nodes are reached through relays.

    `ssh_config` has the way to the nodes, a ProxyCommand for each.
    """
    shutil.copytree(cloud, folder, ignore=shutil.ignore_patterns(".skerry"))
    way = LongWay.make(folder, ssh_config, round_trip)
    written = folder / "cloud.yaml"
    lines = written.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("ssh-config:")]
    written.write_text("\n".join([*kept, f"ssh-config: {way.ssh_config.name}"]) + "\n")
    return way
