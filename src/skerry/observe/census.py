"""How the nodes of a cloud are: one exchange per node, all at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from skerry.edge.fan_out import fan_out
from skerry.edge.ssh import Link
from skerry.errors import AccessRefused, HostKeyMismatch, NodeError, NodeUnreachable
from skerry.observe.node import observe_node


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """One node that answered.

    `latency` is in seconds, from asking to the whole answer. `pods` is how many pods its active
    generation has, and `running` how many of them run.
    """

    state: str
    latency: float
    pods: int
    running: int
    generation: int
    facts: dict[str, Any]


def read_nodes(links: Mapping[str, Link], *, deadline: float) -> dict[str, NodeState | NodeError]:
    """Asks all nodes at once; one that does not answer within `deadline` seconds is an error."""

    def read(name: str) -> NodeState:
        started = time.monotonic()
        found = observe_node(links[name], None, wants_images=False, deadline=deadline)
        latency = time.monotonic() - started
        units = found["manifest"]["units"] if found["manifest"] is not None else {}
        pods: dict[tuple[str, int], bool] = {}
        for unit, entry in units.items():
            if not entry["workload"]:
                continue
            pod = (entry["workload"], entry["replica"])
            runs = unit in found["units"] and found["units"][unit]["active"] == "active"
            pods[pod] = pods.get(pod, True) and runs
        state = "ready" if found["generation"] else "new"
        if found["lock"] is not None:
            state = "locked"
        if found["unfinished"] is not None:
            state = "unfinished"
        return NodeState(
            state=state,
            latency=latency,
            pods=len(pods),
            running=sum(pods.values()),
            generation=found["generation"],
            facts=found["facts"],
        )

    return fan_out(links, read)


def state_of(answer: NodeState | NodeError) -> str:
    """A node's state in one word."""
    if isinstance(answer, NodeState):
        return answer.state
    if isinstance(answer, NodeUnreachable):
        return "unreachable"
    if isinstance(answer, AccessRefused | HostKeyMismatch):
        return "refused"
    return "failed"
