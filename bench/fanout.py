"""The operator against two hundred nodes, each a real sshd on a port of the loopback with a stub of
the node program behind it; and what ten dead ones of them cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.loopback_cloud import DEAD, LoopbackCloud, with_dead
from tests.loopback_nodes import DeadPorts, LoopbackNodes, debian_root
from tests.terminal_watch import watch

from bench.figures import Figure, in_multiples
from bench.measure import Run
from bench.rounds import interleave, middle
from bench.stage import Stage, say

MANY, FEW = 200, 10
# How many times as long as for ten nodes.
GROWTH_GOAL = 10.0
LOST_GOAL = 1.0
APPLY = ("apply", "--yes")


def bench_fanout(stage: Stage) -> list[Figure]:
    """Seconds for two hundred nodes in multiples of those for ten, and seconds lost to the dead."""
    folder = stage.work / "fanout"
    with debian_root("bench-loopback") as source:
        nodes = LoopbackNodes(folder.resolve() / "root", source, count=MANY + 1)
    nodes.hang(nodes.ports[MANY])
    try:
        return [
            *bench_growth(folder, nodes, rounds=stage.rounds),
            bench_dead(folder, nodes, rounds=stage.rounds),
        ]
    finally:
        nodes.close()


def bench_growth(folder: Path, nodes: LoopbackNodes, *, rounds: int) -> list[Figure]:
    """Verbs over connections that stand, and over new ones."""
    many, few = (
        LoopbackCloud(folder / name, nodes, nodes.named(count))
        for name, count in (("many", MANY), ("few", FEW))
    )
    figures = []
    for name, words, is_new in (
        ("status", ("status",), False),
        ("apply", APPLY, False),
        ("status, new connections", ("status",), True),
    ):
        measures: dict[str, Callable[[], Run]] = {
            "many": partial(run_once, many, words, is_new=is_new),
            "few": partial(run_once, few, words, is_new=is_new),
        }
        interleave(measures, rounds=1)
        runs = interleave(measures, rounds=rounds)
        walls = {which: [run.wall for run in found] for which, found in runs.items()}
        say(f"{name}: {middle(walls['many']):.2f} s, {FEW} nodes {middle(walls['few']):.2f} s")
        figures.append(
            in_multiples(
                f"{name}, {MANY} nodes", f"{FEW} nodes", walls["many"], walls["few"],
                goal=GROWTH_GOAL,
            )
        )  # fmt: skip
    return figures


def run_once(cloud: LoopbackCloud, words: tuple[str, ...], *, is_new: bool) -> Run:
    """One run over connections that stand, or over new ones."""
    if is_new:
        cloud.forget_connections()
    return cloud.run(*words)


def bench_dead(folder: Path, nodes: LoopbackNodes, *, rounds: int) -> Figure:
    """How much later the last live node is shown when ten of them are dead."""
    lost = []
    well = LoopbackCloud(folder / "well", nodes, nodes.named(MANY))
    with DeadPorts() as dead:
        sick = with_dead(folder / "sick", nodes, dead, count=MANY)
        well.run("status")
        sick.run("status", "--timeout", "2", expect=None)
        for _ in range(rounds):
            without = watch(well.command("status")).seconds
            seen = watch(sick.command("status", "--timeout", "12"))
            lost.append(max(0.0, seen.when("waiting for") - without))
            say(f"without the dead {without:.2f} s, lost to them {lost[-1]:.2f} s")
    return Figure(
        name=f"lost to {len(DEAD)} dead of {MANY}", unit="s", ours=middle(lost), goal=LOST_GOAL
    )
