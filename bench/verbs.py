"""What a person waits for at a terminal: an apply with nothing to change, verbs that only look."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure, versus_peer
from bench.lab import NODES, skerry
from bench.measure import Run, RunFailed, measure
from bench.rounds import middle
from bench.stage import Stage, say
from skerry.edge.run import Command

ANSIBLE_GOAL = 80.0
PYINFRA_GOAL = 8.0
LAB_GOAL = 10.0


def bench_noop(stage: Stage) -> list[Figure]:
    """An apply with nothing to change, interleaved with the peers' equivalent."""
    cloud, peers = stage.cloud, stage.peers
    ours: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    theirs: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    for number in range(1, stage.rounds + 1):
        for peer in peers:
            # While a peer took its time our connections may have closed: open them again.
            noop_apply(cloud)
            ours[peer.name].append(noop_apply(cloud))
            theirs[peer.name].append(peer.run())
        words = [
            f"{name} {runs[-1].wall:.2f} s (skerry {ours[name][-1].wall:.2f} s)"
            for name, runs in theirs.items()
        ]
        say(f"round {number}: {', '.join(words)}")
    goals = {peers[0].name: ANSIBLE_GOAL, peers[1].name: PYINFRA_GOAL}
    figures = [
        versus_peer("apply, nothing to change", name, _walls(ours[name]), _walls(theirs[name]),
                    goal=goal)
        for name, goal in goals.items()
    ]  # fmt: skip
    return figures + [
        versus_peer("  CPU of the operator", name, _cpus(ours[name]), _cpus(theirs[name]))
        for name in goals
    ]


def noop_apply(cloud: Path) -> Run:
    """One apply that must find nothing to change."""
    run = measure(skerry("apply", "--yes", folder=cloud))
    if "nothing to change" not in run.output:
        raise RunFailed(f"skerry apply changed something:\n{run.output}")
    return run


def bench_verbs(stage: Stage) -> list[Figure]:
    """The commands that only look."""
    return [
        Figure(
            name=verb,
            unit="s",
            ours=middle(_walls(_times(stage, skerry(verb, folder=stage.cloud)))),
        )
        for verb in ("plan", "status")
    ]


def bench_lab(stage: Stage) -> list[Figure]:
    """How long the lab takes from nothing to nodes that answer."""
    name = f"lab up, {NODES} nodes to SSH"
    return [Figure(name=name, unit="s", ours=stage.lab.up.wall, goal=LAB_GOAL)]


def _times(stage: Stage, command: Command) -> list[Run]:
    return [measure(command) for _ in range(stage.rounds)]


def _walls(runs: list[Run]) -> list[float]:
    return [run.wall for run in runs]


def _cpus(runs: list[Run]) -> list[float]:
    return [run.cpu for run in runs]
