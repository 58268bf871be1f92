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
    for name, node in cloud.nodes.items():
        room = node_room(node, lock.nodes.get(name))
        here = {
            one.name: len(placements.of(one.name).get(name, ())) for one in cloud.workloads.values()
        }
        room.planned = sum(
            count * pod_memory(cloud.workloads[workload].spec) for workload, count in here.items()
        )
        for name_there, count in here.items():
            workload = cloud.workloads[name_there]
            asked = pod_memory(workload.spec)
            if not count or not asked or room.fits(asked) or why_not_beside(workload, cloud):
                continue
            words = f"no memory for two on {name}: {room.explain(name_there, asked)}"
            found.setdefault(name, {})[name_there] = words
    return found
