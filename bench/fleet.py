"""How the pure half scales: load, compile and plan for a thousand nodes, without any of them."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.cloud import place_pods, write_pods
from bench.figures import Figure, in_multiples
from bench.fleet_run import CASES, IMAGE
from bench.measure import RunFailed, measure
from bench.rounds import middle
from bench.stage import Stage, say
from skerry.edge.run import Command

NODES = 1000
PODS = 10
SECONDS_GOAL = 10.0
MEMORY_GOAL = 500.0
# From a tenth of the nodes to all of them.
GROWTH_GOAL = 12.0
VENDORS = ("north", "south", "east", "west")
# Where every node has the same pods, none can have moved.
CASES_OF = {"everywhere": ("new", "running", "changed"), "spread": CASES}
ROOT = Path(__file__).resolve().parents[1]


class FleetRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `bench.fleet_run`: seconds of CPU per phase, and `peak`, resident bytes.

    `whole` is the CPU of the whole process, the start of Python and the making of what the nodes
    would answer included.
    """

    load: float
    compile: float
    observe: float
    plan: float
    render: float
    peak: int
    changed: int
    lines: int
    whole: float = 0.0

    @property
    def seconds(self) -> float:
        """From the folder to a plan that a person can read."""
        return self.load + self.compile + self.observe + self.plan + self.render


def bench_fleet(stage: Stage) -> list[Figure]:
    """Seconds, memory and growth, of the worst case of each placement."""
    figures: list[Figure] = []
    for placement in CASES_OF:
        figures += bench_placement(
            stage.work / placement, placement, nodes=NODES, rounds=stage.rounds
        )
    return figures


def bench_placement(folder: Path, placement: str, *, nodes: int, rounds: int) -> list[Figure]:
    """The figures of one placement on so many nodes, and how they grew from a tenth of them."""
    write_fleet(folder / "all", placement, nodes=nodes)
    write_fleet(folder / "tenth", placement, nodes=nodes // 10)
    cases = CASES_OF[placement]
    whole: dict[str, list[FleetRun]] = {case: [] for case in cases}
    tenth: dict[str, list[FleetRun]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            tenth[case].append(run_fleet(folder / "tenth", case))
            whole[case].append(run_fleet(folder / "all", case))
            say(f"{placement}, {case}: {describe(whole[case][-1])}")
    figures = []
    for case in cases:
        name = f"{nodes} {placement}, {case}"
        figures.append(
            in_multiples(
                name,
                f"{nodes // 10} nodes",
                [run.seconds for run in whole[case]],
                [run.seconds for run in tenth[case]],
                goal=GROWTH_GOAL,
            )
        )
    slowest = max(middle([run.seconds for run in whole[case]]) for case in cases)
    largest = max(middle([run.peak / 1e6 for run in whole[case]]) for case in cases)
    return [
        Figure(name=f"{nodes} {placement}, slowest", unit="s", ours=slowest,
               goal=SECONDS_GOAL),
        Figure(name=f"{nodes} {placement}, memory", unit="MB", ours=largest,
               goal=MEMORY_GOAL),
        *figures,
    ]  # fmt: skip


def run_fleet(folder: Path, case: str) -> FleetRun:
    """One case in a process of its own. Raises `RunFailed` where its plan is not to be."""
    command = Command((sys.executable, "-m", "bench.fleet_run", str(folder), case), cwd=str(ROOT))
    run = measure(command)
    found = msgspec.json.decode(run.output.encode(), type=FleetRun)
    if (found.changed == 0) != (case == "running"):
        raise RunFailed(f"the plan of the case {case} changes {found.changed} nodes")
    return msgspec.structs.replace(found, whole=run.cpu)


def describe(run: FleetRun) -> str:
    """A run in one line."""
    phases = ("load", "compile", "observe", "plan", "render")
    words = ", ".join(f"{phase} {getattr(run, phase):.2f}" for phase in phases)
    return f"{run.seconds:.2f} s ({words}), {run.peak / 1e6:.0f} MB, {run.lines} lines"


def write_fleet(folder: Path, placement: str = "everywhere", *, nodes: int) -> None:
    """A cloud folder with so many nodes, and `PODS` replicas on each of them.

    ``everywhere``: each of ten pods on all nodes. ``spread``: twice as many pods, with half as
    many replicas as there are nodes, spread over the vendors.
    """
    folder.mkdir(parents=True)
    names = [f"node-{number:04}" for number in range(1, nodes + 1)]
    inventory = "".join(
        f"  {name}: {{ssh: root@198.18.{number // 250}.{number % 250 + 1}, "
        f"vendor: {VENDORS[number % len(VENDORS)]}}}\n"
        for number, name in enumerate(names)
    )
    pods = PODS if placement == "everywhere" else 2 * PODS
    text = place_pods(f"name: fleet\nnodes:\n{inventory}\nrun: {{}}\n", pods=pods)
    if placement == "spread":
        text = text.replace('nodes: ["*"]', f"replicas: {nodes // 2}, spread: vendor")
    (folder / "cloud.yaml").write_text(text)
    write_pods(folder, pods=pods, image=IMAGE)
