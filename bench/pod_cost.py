"""What a pod costs a node beyond its own processes: as Skerry runs it, as ``podman kube play`` runs
the same manifest, and as Docker runs the same containers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bench.figures import Figure
from bench.lab import lab_of
from bench.measure import RunFailed
from bench.pod_node import PODS, PodNode, Runtime
from bench.stage import Stage, say

SHAPES: Mapping[str, int] = {"one container": 1, "two containers": 2}
# Nobody needs less; with several containers the same processes may have some kB more or less.
GOALS: Mapping[str, float] = {"one container": 1.0, "two containers": 0.9}
# The first process of a pod's own network and names is in a container, and is not the pod's.
PAUSES = ("catatonit", "pause", "podman-pause")
DAEMONS = ("dockerd", "containerd")


class Cost(msgspec.Struct, frozen=True):
    """What a pod costs: processes that are not its own, their memory and the disk, in bytes."""

    processes: float
    memory: float
    disk: float


def bench_pod_cost(stage: Stage) -> list[Figure]:
    """Processes, memory and disk per pod, beside the peers; and what those need on any node."""
    with lab_of("bench-pods", nodes=1, keep=stage.keep) as lab:
        node = PodNode(lab, stage.work / "pods")
        runtimes = node.runtimes()
        figures: list[Figure] = []
        for shape, containers in SHAPES.items():
            costs = {name: measure_cost(node, one, containers) for name, one in runtimes.items()}
            figures += compare(shape, costs)
        if "docker run" in runtimes:
            resident = sum(one.pss for one in node.processes().values() if one.comm in DAEMONS)
            peers = {"docker": resident / 1e6}
            figures.append(Figure(name="daemons at rest", unit="MB", ours=0.0, peers=peers))
    return figures


def measure_cost(node: PodNode, runtime: Runtime, containers: int) -> Cost:
    """What each pod costs, once all of them answer. Raises `RunFailed` where they do not."""
    before, disk = node.processes(), node.disk(runtime.folders)
    runtime.start(containers)
    node.wait(lambda: node.answering() == PODS, "the pods answer")
    node.wait(lambda: not node.is_starting(), "what started the pods ends")
    new = {key: one for key, one in node.processes().items() if key not in before}
    own = {key for key, one in new.items() if one.is_inside and one.comm not in PAUSES}
    grown = node.disk(runtime.folders) - disk
    runtime.remove(containers)
    node.wait(lambda: node.answering() == 0 and not node.is_starting(), "the pods are gone")
    if len(own) < PODS * containers:
        raise RunFailed(f"{len(own)} processes in {PODS} pods of {containers} containers: {new}")
    beyond = [one for key, one in new.items() if key not in own]
    names = sorted(one.comm for one in beyond)
    say(f"{PODS} pods, {runtime.name}, {containers} in each: beside {len(own)} {', '.join(names)}")
    memory = sum(one.pss for one in beyond)
    return Cost(len(beyond) / PODS, memory / PODS, max(0, grown) / PODS)


def compare(shape: str, costs: Mapping[str, Cost]) -> list[Figure]:
    """The figures of one shape of pod, beside each peer; `costs` has ours under ``skerry``."""
    ours, goal = costs["skerry"], GOALS[shape]
    return [
        figure
        for name, cost in costs.items()
        if name != "skerry"
        for figure in (
            Figure(
                name=f"pod of {shape}: processes",
                unit="",
                ours=ours.processes,
                peers={name: cost.processes},
                goal=goal,
            ),
            Figure(
                name=f"  memory of {shape}",
                unit="MB",
                ours=ours.memory / 1e6,
                peers={name: cost.memory / 1e6},
                goal=goal,
            ),
            Figure(
                name=f"  disk of {shape}",
                unit="kB",
                ours=ours.disk / 1e3,
                peers={name: cost.disk / 1e3},
            ),
        )
    ]
