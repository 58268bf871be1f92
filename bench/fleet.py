"""How the pure half scales: load, place, compile and plan a thousand nodes, without any of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.cloud import place_pods, write_pods
from bench.figures import Figure, middle
from bench.measure import RunFailed, measure
from skerry.cli.cloud import OpenCloud
from skerry.cli.flow import plan_cloud
from skerry.compile.lock import Lock, ResolvedImage
from skerry.edge.run import Command
from skerry.load.cloud import load_cloud

NODES = 1000
PODS = 10
IMAGE = "localhost/web"
T = TypeVar("T")


def bench_fleet(folder: Path, *, rounds: int, nodes: int = NODES) -> list[Figure]:
    """Load, compile and plan for many nodes that hold nothing yet; seconds."""
    write_fleet(folder, nodes=nodes)
    times: dict[str, list[float]] = {"load": [], "compile": [], "plan": []}
    for _ in range(rounds):
        for name, seconds in time_once(folder, nodes=nodes).items():
            times[name].append(seconds)
    return [
        Figure(name=f"{name}, {nodes:,} nodes x {PODS} pods", unit="s", ours=middle(values))
        for name, values in times.items()
    ]


def time_once(folder: Path, *, nodes: int) -> dict[str, float]:
    """The seconds of each phase, one after the other."""
    from tests.unit.wire_examples import observed

    cloud, load = timed(lambda: load_cloud(folder))
    lock = Lock(images={IMAGE: ResolvedImage(id="0" * 64, size=0)})
    opened = OpenCloud(folder, cloud, lock)
    trees, compile_ = timed(lambda: opened.trees)
    plan, plan_ = timed(lambda: plan_cloud(opened, {name: observed() for name in trees}))
    if sum(len(one.steps) > PODS for one in plan.nodes.values()) != nodes:
        raise RunFailed("the plan of a new fleet changes nothing on some node")
    return {"load": load, "compile": compile_, "plan": plan_}


def bench_python(*, rounds: int) -> Figure:
    """What a process of Python takes that does nothing: no verb can be below."""
    command = Command.of(sys.executable, "-c", "pass")
    return Figure(
        name="  python -c pass",
        unit="s",
        ours=middle([measure(command).wall for _ in range(rounds)]),
    )


def write_fleet(folder: Path, *, nodes: int) -> None:
    """A cloud folder with so many nodes, all pods on each."""
    folder.mkdir(parents=True)
    names = [f"node-{number:04}" for number in range(1, nodes + 1)]
    inventory = "".join(
        f"  {name}: {{ssh: root@198.18.{number // 250}.{number % 250 + 1}}}\n"
        for number, name in enumerate(names)
    )
    text = f"name: fleet\nnodes:\n{inventory}\nrun: {{}}\n"
    (folder / "cloud.yaml").write_text(place_pods(text, pods=PODS))
    write_pods(folder, pods=PODS, image=IMAGE)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work returns, and the seconds that it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started
