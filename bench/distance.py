"""The same apply with the nodes farther away: what a round trip costs, and how many there are."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bench.figures import Figure
from bench.measure import Run
from bench.rounds import interleave, middle
from bench.stage import Stage
from bench.verbs import noop_apply

ROUND_TRIP = 0.05
ROUNDS = 9
GOAL = 1.5
"""One round trip and not two: the rest is what a busy machine adds to either side."""
RELAY = Path(__file__).with_name("relay.py")


def bench_distance(stage: Stage) -> list[Figure]:
    """An apply with nothing to change over connections that stand, 50 ms away and next door."""
    near = make_distant(stage, "near", 0.0)
    far = make_distant(stage, "far", ROUND_TRIP)
    # The connections, and what is remembered.
    for folder in (near, far, near, far):
        noop_apply(folder)
    runs = interleave(
        {"near": lambda: noop_apply(near), "far": lambda: noop_apply(far)},
        rounds=max(ROUNDS, stage.rounds),
    )
    return figures_of(runs["near"], runs["far"])


def figures_of(near: list[Run], far: list[Run]) -> list[Figure]:
    """The figures of rounds."""
    trips = [(there.wall - here.wall) / ROUND_TRIP for here, there in zip(near, far, strict=True)]
    return [
        Figure(
            name="apply, nothing to change, 50 ms away",
            unit="s",
            ours=middle([run.wall for run in far]),
        ),
        Figure(name="  round trips it waits for", unit="RTT", ours=middle(trips), goal=GOAL),
    ]


def make_distant(stage: Stage, name: str, round_trip: float) -> Path:
    """A copy of the cloud folder whose nodes are reached through a relay that takes its time."""
    folder = stage.work / name
    shutil.copytree(stage.cloud, folder, ignore=shutil.ignore_patterns(".skerry"))
    config = folder / "ssh_config"
    before = f"ProxyCommand {sys.executable} -S {RELAY} {round_trip / 2} "
    config.write_text(stage.lab.ssh_config.read_text().replace("ProxyCommand ", before))
    cloud = folder / "cloud.yaml"
    lines = [line for line in cloud.read_text().splitlines() if not line.startswith("ssh-config:")]
    cloud.write_text("\n".join([*lines, "ssh-config: ssh_config"]) + "\n")
    return folder
