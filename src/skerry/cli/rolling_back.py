"""Rolling back: an older generation's manifest, planned against what is on the node now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from skerry.cli.cloud import OpenCloud
from skerry.cli.flow import blocked_node, give_back_unless_all, holding, order_plan
from skerry.edge.exchange import exchange
from skerry.edge.fan_out import fan_out
from skerry.edge.leases import Leases
from skerry.edge.turn import Turn
from skerry.errors import NodeError, NodeUnreachable, UsageError
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
    """The generations to bring back, by node.

    With `number`, that one of every node. Without, the one before the active one, of those nodes
    that took part in the latest change: a node that it left alone is left alone here too.
    Raises `UsageError` where there is nothing to go back to.
    """
    chosen: dict[str, int] = {}
    lost: dict[str, Older | NodeError] = {}
    if number is not None:
        chosen = dict.fromkeys(names, number)
    else:
        histories = fan_out(names, lambda name: _read_history(opened, name, timeout=timeout))
        lost = {name: found for name, found in histories.items() if isinstance(found, NodeError)}
        chosen = choose_previous(
            {name: found for name, found in histories.items() if not isinstance(found, NodeError)}
        )
        if not chosen and not lost:
            raise UsageError(
                "there is nothing to roll back to: the latest change was the first on its nodes",
                hint="`skerry history` shows what each node keeps",
            )

    def read(name: str) -> Older:
        link = opened.link(name, timeout=timeout)
        found = exchange(link, "generation", {"number": chosen[name]}, deadline=timeout)
        desired = cast("wire.Manifest", found["manifest"])
        observed = observe_node(link, desired, wants_text=True, deadline=timeout)
        return Older(number=chosen[name], desired=desired, observed=observed)

    answers: dict[str, Older | NodeError] = {**fan_out(chosen, read), **lost}
    return {name: answers[name] for name in names if name in answers}


def choose_previous(histories: Mapping[str, list[wire.Generation]]) -> dict[str, int]:
    """For each node that the latest change of all took part in, the generation before it."""
    active = {
        name: entry
        for name, history in histories.items()
        for entry in history
        if entry["state"] == "active"
    }
    if not active:
        return {}
    latest = max(entry["when"] for entry in active.values())
    chosen = {}
    for name, entry in active.items():
        numbers = [old["number"] for old in histories[name] if old["state"] == "previous"]
        if entry["when"] == latest and numbers:
            chosen[name] = max(numbers)
    return chosen


def _read_history(opened: OpenCloud, name: str, *, timeout: float) -> list[wire.Generation]:
    answer = exchange(opened.link(name, timeout=timeout), "history", deadline=timeout)
    return cast("list[wire.Generation]", answer["generations"])


def plan_rollback(opened: OpenCloud, older: Mapping[str, Older | NodeError]) -> Plan:
    """The plan that brings the older generations back; what a node no longer has blocks it."""
    plans: dict[str, NodePlan] = {}
    unreachable: dict[str, str] = {}
    for name, found in older.items():
        if isinstance(found, NodeUnreachable):
            unreachable[name] = found.message
        elif isinstance(found, NodeError):
            plans[name] = blocked_node(name, found)
        else:
            plans[name] = _plan_older(found)
    plan = Plan(cloud=opened.cloud.name, nodes=plans, unreachable=unreachable)
    known = {name: one for name, one in older.items() if isinstance(one, Older)}
    # The folder says how its workloads are rolled, whichever version of them.
    return order_plan(
        opened,
        plan,
        {name: one.desired for name, one in known.items()},
        {name: one.observed for name, one in known.items()},
    )


def lock_nodes(
    opened: OpenCloud, turn: Turn, leases: Leases, names: list[str], *, timeout: float
) -> dict[str, int | NodeError]:
    """Takes the nodes' locks; raises `NodeLocked`, with all given back, when one is taken."""

    def lock(name: str) -> int:
        link = opened.link(name, timeout=timeout)
        exchange(link, "lock", {"lock": turn.lock_request()}, deadline=timeout)
        return 0

    answers = fan_out(names, lock, on_answer=holding(leases))
    give_back_unless_all(opened, turn, leases, answers)
    return answers


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
