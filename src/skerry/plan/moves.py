"""Which replicas go from one node to another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from skerry.compile.placement.place_cloud import Placements
from skerry.model.cloud import Workload
from skerry_node import wire

Counts = Mapping[str, Mapping[str, int]]
"""How many replicas of a workload nodes have: by workload, by node."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A replica of a workload runs on another node from now on. `note` is worth knowing."""

    workload: str
    source: str
    target: str
    note: str = ""


def plan_moves(before: Counts, after: Counts, workloads: Mapping[str, Workload]) -> list[Move]:
    """The moves, by workload: those who lose a replica with those who gain one.

    More losses than gains are no moves but replicas fewer, and the other way round.
    """
    moves = []
    for workload in sorted(before.keys() & after.keys()):
        losing = _differences(before[workload], after[workload])
        gaining = _differences(after[workload], before[workload])
        note = _note_of(workloads.get(workload))
        moves += [
            Move(workload=workload, source=source, target=target, note=note)
            for source, target in zip(losing, gaining, strict=False)
        ]
    return moves


def running_counts(
    manifests: Mapping[str, wire.Manifest | None], placements: Placements, absent: Iterable[str]
) -> dict[str, dict[str, int]]:
    """What nodes have now: by their active generations, or, where a node is left out, by what
    was placed there."""
    found: dict[str, dict[str, set[int]]] = {}
    for node, manifest in manifests.items():
        for unit in manifest["units"].values() if manifest is not None else ():
            if unit["workload"]:
                replicas = found.setdefault(unit["workload"], {}).setdefault(node, set())
                replicas.add(unit["replica"])
    counts = {
        workload: {node: len(replicas) for node, replicas in nodes.items()}
        for workload, nodes in found.items()
    }
    for workload, places in placements.before.items():
        for node in absent:
            if node in places:
                counts.setdefault(workload, {})[node] = len(places[node])
    return counts


def wanted_counts(placements: Placements, nodes: Iterable[str]) -> dict[str, dict[str, int]]:
    """What these nodes shall have."""
    known = set(nodes)
    return {
        workload: {node: len(numbers) for node, numbers in places.items() if node in known}
        for workload, places in placements.where.items()
    }


def _differences(more: Mapping[str, int], fewer: Mapping[str, int]) -> list[str]:
    """The nodes that have more, once for each replica."""
    return [node for node in sorted(more) for _ in range(max(0, more[node] - fewer.get(node, 0)))]


def _note_of(workload: Workload | None) -> str:
    """What does not come along: files that the pod wrote into the node's own folders."""
    if workload is None:
        return ""
    paths = {
        volume.name: volume.host_path.path
        for volume in workload.spec.volumes
        if volume.host_path is not None
    }
    written = sorted(
        {
            paths[mount.name]
            for container in workload.spec.all_containers
            for mount in container.volume_mounts
            if mount.name in paths and not mount.read_only
        }
    )
    return f"what it wrote to {' and '.join(written)} (hostPath) stays behind" if written else ""
