"""Rolling back: an older generation's manifest, planned against what is on the node now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import msgspec

from skerry.cli.cloud import OpenCloud
from skerry.cli.flow import blocked_node, order_plan
from skerry.cli.locking import take_locks
from skerry.compile.cloud import compile_cloud
from skerry.compile.secrets import PodmanSecret
from skerry.edge.exchange import exchange
from skerry.edge.fan_out import fan_out
from skerry.edge.leases import Leases
from skerry.edge.stop import Stopping
from skerry.edge.turn import Turn, past_tokens
from skerry.errors import CloudInvalid, NodeError, NodeUnreachable, UsageError
from skerry.observe.node import observe_node
from skerry.plan.plan import NodePlan, Plan, plan_node
from skerry.plan.steps import SendImage, SendSecret
from skerry.push.node import push_secrets
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

    inherits = past_tokens(opened.cache)

    def read(name: str) -> Older:
        link = opened.link(name, timeout=timeout)
        found = exchange(link, "generation", {"number": chosen[name]}, deadline=timeout)
        # Under its own name: what a node says of itself must never be done to another one.
        desired = cast("wire.Manifest", {**found["manifest"], "node": name})
        observed = observe_node(link, desired, wants_text=True, inherits=inherits, deadline=timeout)
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


def plan_rollback(
    opened: OpenCloud,
    older: Mapping[str, Older | NodeError],
    secrets: Callable[[], Mapping[str, PodmanSecret]] = dict,
) -> Plan:
    """The plan that brings the older generations back; what a node no longer has blocks it.

    But for secrets whose values the operator has: `secrets` gives these, by their names on a
    node, and is asked only when a node lacks one.
    """
    plans: dict[str, NodePlan] = {}
    unreachable: dict[str, str] = {}
    for name, found in older.items():
        if isinstance(found, NodeUnreachable):
            unreachable[name] = found.message
        elif isinstance(found, NodeError):
            plans[name] = blocked_node(name, found)
        else:
            plans[name] = _plan_older(found, secrets)
    plan = Plan(cloud=opened.cloud.name, nodes=plans, unreachable=unreachable)
    known = {name: one for name, one in older.items() if isinstance(one, Older)}
    # The folder says how its workloads are rolled, whichever version of them.
    return order_plan(
        opened,
        plan,
        {name: one.desired for name, one in known.items()},
        {name: one.observed for name, one in known.items()},
    )


def read_own_secrets(opened: OpenCloud) -> dict[str, PodmanSecret]:
    """All secrets whose values the operator has, by their names on a node.

    Raises `SecretUnreadable` where the operator can read none.
    """
    from skerry.cli.secret_values import read_all_secrets

    known = read_all_secrets(opened.folder, opened.cloud, opened.lock)
    found = known.all_secrets()
    try:
        trees = compile_cloud(opened.cloud, opened.lock, secrets=known)
    except CloudInvalid:
        # Of a folder that cannot be applied now the keys of Secrets are known all the same.
        return found
    for tree in trees.values():
        found |= {name: one for name, one in tree.secrets.items() if one.value is not None}
    return found


def lock_nodes(
    opened: OpenCloud,
    turn: Turn,
    leases: Leases,
    stop: Stopping,
    plans: Iterable[NodePlan],
    secrets: Callable[[], Mapping[str, PodmanSecret]] = dict,
    *,
    timeout: float,
) -> dict[str, int | NodeError]:
    """Takes the nodes' locks and sends the secrets that they lack; the bytes sent.

    Raises what `take_locks` raises.
    """
    by_name = {plan.node: plan for plan in plans}

    def lock(name: str) -> int:
        link, plan = opened.link(name, timeout=timeout), by_name[name]
        if any(isinstance(step, SendSecret) for step in plan.steps):
            return push_secrets(link, turn, plan, secrets(), deadline=timeout)
        exchange(link, "lock", {"lock": turn.lock_request()}, deadline=timeout)
        return 0

    return take_locks(opened, turn, leases, stop, by_name, lock)


def _plan_older(found: Older, secrets: Callable[[], Mapping[str, PodmanSecret]]) -> NodePlan:
    plan = plan_node(found.desired, found.observed, {}, lambda path: None)
    lost = [step.reference for step in plan.steps if isinstance(step, SendImage)]
    blockers = list(plan.blockers)
    hint = "check out that version of the folder and run `skerry apply`"
    if lost:
        blockers.append(f"{', '.join(lost)} of generation {found.number} was pruned: {hint}")
    if plan.missing:
        blockers.append(f"contents of generation {found.number} were pruned: {hint}")
    sent = [step for step in plan.steps if isinstance(step, SendSecret)]
    gone = [step.of for step in sent if step.name not in secrets()] if sent else []
    if gone:
        blockers.append(
            f"the value that secret {', '.join(gone)} had in generation {found.number} is not on "
            "the node any more, and the folder has another one: take that version of secrets.yaml "
            "out of git and run `skerry apply`"
        )
    return msgspec.structs.replace(plan, blockers=tuple(blockers))
