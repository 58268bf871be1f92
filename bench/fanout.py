"""The operator against two hundred nodes, each a real sshd on a port of the loopback with a stub of
the node program behind it; and what ten dead ones of them cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.loopback_cloud import DEAD, LoopbackCloud, with_dead
from tests.loopback_nodes import DeadPorts, LoopbackNodes, debian_root
from tests.terminal_watch import watch

from bench.figures import Figure, in_multiples
from bench.measure import Run, measure
from bench.rounds import interleave, middle
from bench.stage import Stage, say
from skerry.edge.window import begun_at_once

MANY, FEW = 200, 10
# How many times as long as for ten nodes.
GROWTH_GOAL = 10.0
# How many times as long as ssh itself takes for a command that does nothing.
NEW_GOAL = 1.5
LOST_GOAL = 1.0
APPLY = ("apply", "--yes")
# Its growth has a floor and no goal: for ten nodes it is little more than the start of Python, and
# whatever makes that faster would make the figure worse.
REST = "apply at rest"


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
    # With a pattern of nodes nothing is answered from memory.
    verbs = {"status": ("status",), "apply": (*APPLY, "-n", "*"), REST: APPLY}
    for name, words in verbs.items():
        measures: dict[str, Callable[[], Run]] = {
            "many": partial(many.run, *words),
            "few": partial(few.run, *words),
        }
        # At rest it is known the third time.
        interleave(measures, rounds=2)
        walls = walls_of(interleave(measures, rounds=rounds))
        say(f"{name}: {middle(walls['many']):.2f} s, {FEW} nodes {middle(walls['few']):.2f} s")
        figures.append(
            in_multiples(
                f"{name}, {MANY} nodes", f"{FEW} nodes", walls["many"], walls["few"],
                goal=None if name == REST else GROWTH_GOAL,
            )
        )  # fmt: skip
    return figures + bench_new(many, few, nodes, rounds=rounds)


def bench_new(
    many: LoopbackCloud, few: LoopbackCloud, nodes: LoopbackNodes, *, rounds: int
) -> list[Figure]:
    """`status` over new connections, beside `ssh true` to the same nodes, as many at a time.

    To open a connection costs processor time on both sides, which are one machine here: it grows
    with the number of nodes whoever opens it, twentyfold where ssh itself does. So the goal is how
    little is added to what ssh takes; the growth has a floor alone.
    """

    def anew(command: Callable[[], Run]) -> Run:
        # Those of both: what stands costs memory and keeps itself alive.
        many.forget_connections()
        few.forget_connections()
        nodes.wait_for_silence()
        return command()

    width = begun_at_once()
    runs = interleave(
        {
            "many": lambda: anew(lambda: many.run("status")),
            "ssh": lambda: anew(lambda: measure(many.ssh_to_all("true", at_once=width))),
            "few": lambda: anew(lambda: few.run("status")),
        },
        rounds=rounds,
    )
    walls, cpus = walls_of(runs), {name: [run.cpu for run in ones] for name, ones in runs.items()}
    seconds = ", ".join(f"{name} {middle(found):.2f} s" for name, found in walls.items())
    say(f"new connections: {seconds}")
    yardstick = f"ssh true, {width} at once"
    return [
        in_multiples(
            f"new connections, {MANY} nodes", yardstick, walls["many"], walls["ssh"], goal=NEW_GOAL
        ),
        in_multiples("  CPU of the operator", yardstick, cpus["many"], cpus["ssh"], goal=NEW_GOAL),
        in_multiples("  growth", f"{FEW} nodes", walls["many"], walls["few"]),
    ]


def walls_of(runs: Mapping[str, list[Run]]) -> dict[str, list[float]]:
    """The wall times of runs by name."""
    return {name: [run.wall for run in found] for name, found in runs.items()}


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
