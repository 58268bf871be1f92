"""Nodes that have no memory for two versions of a replica at a time."""

from __future__ import annotations

from skerry.compile.lock import Lock
from skerry.compile.placement.memory import node_room, pod_memory
from skerry.compile.placement.place_cloud import Placements
from skerry.compile.rolling.strategy import why_not_beside
from skerry.model.cloud import Cloud

# Per node, the workloads of which the new cannot run beside the old, and why.
Cramped = dict[str, dict[str, str]]


def find_cramped(cloud: Cloud, lock: Lock, placements: Placements) -> Cramped:
    """Where a workload that could be started beside its old version has no room for that."""
    found: Cramped = {}
    asked = {name: pod_memory(workload.spec) for name, workload in cloud.workloads.items()}
    rooms = {name: node_room(node, lock.nodes.get(name)) for name, node in cloud.nodes.items()}
    here: dict[str, list[str]] = {name: [] for name in cloud.nodes}
    for workload in cloud.workloads:
        for name, ordinals in placements.of(workload).items():
            rooms[name].planned += len(ordinals) * asked[workload]
            here[name].append(workload)
    may_stand_beside = {
        name
        for name, one in cloud.workloads.items()
        if asked[name] and not why_not_beside(one, cloud)
    }
    for name, workloads in here.items():
        for workload in workloads:
            if workload in may_stand_beside and not rooms[name].fits(asked[workload]):
                words = rooms[name].explain(workload, asked[workload])
                found.setdefault(name, {})[workload] = f"no memory for two on {name}: {words}"
    return found
