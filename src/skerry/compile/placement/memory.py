"""Memory: what a pod asks for, and what a node has left; the arithmetic in words."""

from __future__ import annotations

import msgspec

from skerry.compile.lock import NodeFacts
from skerry.model.cloud import Node
from skerry.model.container import Container
from skerry.model.pod import PodSpec
from skerry.model.quantity import parse_memory

_MB = 1_000_000


class Room(msgspec.Struct):
    """A node's memory in bytes: all of it, what the system needs, what is planned by now.

    `total` is None where nobody knows it: then everything fits.
    """

    total: int | None
    system: int
    planned: int = 0

    def fits(self, asked: int) -> bool:
        """Whether so many bytes more fit."""
        return self.total is None or self.total - self.system - self.planned >= asked

    def explain(self, workload: str, asked: int) -> str:
        """Why so much more does not fit: ``512 MB, system 70, planned 310; ...``."""
        total, system = (self.total or 0) // _MB, _up(self.system)
        planned, wanted = _up(self.planned), _up(asked)
        short = max(1, wanted - (total - system - planned))
        return (
            f"{total} MB, system {system}, planned {planned}; {workload} asks {wanted}: "
            f"{short} MB short"
        )


def node_room(node: Node, facts: NodeFacts | None) -> Room:
    """The node's memory: what cloud.yaml says, else what the node itself reported."""
    facts = facts or NodeFacts()
    total = parse_memory(node.memory) if node.memory is not None else facts.memory
    return Room(total or None, facts.system)


def pod_memory(spec: PodSpec) -> int:
    """The bytes that a pod asks for.

    Containers and sidecars run together; an init container runs beside the sidecars before it
    alone. Source: KEP-753, "Resources calculation for scheduling and pod admission".
    """
    sidecars = peak = 0
    for container in spec.init_containers:
        asked = container_memory(container)
        if container.restart_policy == "Always":
            sidecars += asked
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + asked)
    return max(peak, sidecars + sum(container_memory(one) for one in spec.containers))


def container_memory(container: Container) -> int:
    """The bytes that a container asks for: its request, or else its limit, or else nothing."""
    resources = container.resources
    asked = resources.requests.memory
    if asked is None:
        asked = resources.limits.memory
    return parse_memory(asked) if asked is not None else 0


def _up(size: int) -> int:
    return -(-size // _MB)
