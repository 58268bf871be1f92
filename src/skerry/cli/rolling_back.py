"""Rolling back: an older generation's manifest, planned against what is on the node now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from skerry.cli.cloud import OpenCloud
from skerry.edge.exchange import exchange
from skerry.edge.fan_out import fan_out
from skerry.edge.turn import Turn
from skerry.errors import NodeError, NodeLocked, NodeProgramFailed
from skerry.observe.node import observe_node
from skerry.plan.plan import NodePlan, Plan, plan_node
from skerry.plan.steps import SendImage
from skerry_node import wire


class Older(msgspec.Struct, frozen=True, kw_only=True):
    """An older generation of one node, and what is true there now beside it."""

    number: int
    desired: wire.Manifest
    observed: wire.Observed


def read_older_generations(
    opened: OpenCloud, names: list[str], number: int | None, *, timeout: float
) -> dict[str, Older | NodeError]:
    """The generation `number` of each node, or the one before its active one."""

    def read(name: str) -> Older:
        link = opened.link(name, timeout=timeout)
        chosen = number
        if chosen is None:
            answer = exchange(link, "history", deadline=timeout)
            history = cast("list[wire.Generation]", answer["generations"])
            chosen = _previous(name, history)
        found = exchange(link, "generation", {"number": chosen}, deadline=timeout)
        desired = cast(wire.Manifest, found["manifest"])
        observed = observe_node(link, desired, wants_text=True, deadline=timeout)
        return Older(number=chosen, desired=desired, observed=observed)

    return fan_out(names, read)


def plan_rollback(cloud: str, older: Mapping[str, Older | NodeError]) -> Plan:
    """The plan that brings the older generations back; what a node no longer has blocks it."""
    plans: dict[str, NodePlan] = {}
    unreachable: dict[str, str] = {}
    for name, found in older.items():
        if isinstance(found, NodeProgramFailed):
            plans[name] = NodePlan(node=name, base=0, number=0, blockers=(found.message,))
        elif isinstance(found, NodeError):
            unreachable[name] = found.message
        else:
            plans[name] = _plan_older(found)
    return Plan(cloud=cloud, nodes=plans, unreachable=unreachable)


def lock_nodes(
    opened: OpenCloud, turn: Turn, names: list[str], *, timeout: float
) -> dict[str, int | NodeError]:
    """Takes the nodes' locks; raises `NodeLocked`, with all given back, when one is taken."""
    from skerry.cli.flow import unlock_nodes

    def lock(name: str) -> int:
        link = opened.link(name, timeout=timeout)
        exchange(link, "lock", {"lock": turn.lock_request()}, deadline=timeout)
        return 0

    answers = fan_out(names, lock)
    locked = [answer for answer in answers.values() if isinstance(answer, NodeLocked)]
    if locked:
        held = [name for name, answer in answers.items() if not isinstance(answer, NodeError)]
        unlock_nodes(opened, turn, held)
        raise locked[0]
    return answers


def _previous(name: str, history: list[wire.Generation]) -> int:
    numbers = [entry["number"] for entry in history if entry["state"] == "previous"]
    if not numbers:
        raise NodeProgramFailed(name, "there is no generation before the active one")
    return max(numbers)


def _plan_older(found: Older) -> NodePlan:
    plan = plan_node(found.desired, found.observed, {}, lambda path: None)
    lost = [step.reference for step in plan.steps if isinstance(step, SendImage)]
    blockers = list(plan.blockers)
    hint = "check out that version of the folder and run `skerry apply`"
    if lost:
        blockers.append(f"{', '.join(lost)} of generation {found.number} was pruned: {hint}")
    if plan.missing:
        blockers.append(f"contents of generation {found.number} were pruned: {hint}")
    return msgspec.structs.replace(plan, blockers=tuple(blockers))
