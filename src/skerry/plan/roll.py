"""The roll: the nodes in waves, and what happens on a node in stages. Pure.

A node switches as a whole, so it is nodes that follow each other; on a node the replicas of a
workload follow each other in stages. Of a workload's replicas at most `max_unavailable` are down
at a time and at most `max_surge` run beyond their number, on all nodes together. Where nothing
has to wait for anything there is one wave of one stage: all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from skerry.compile.rolling.strategy import DEFAULT_SHARE, Strategy, amount_of
from skerry.plan.changes import Change, changes_of
from skerry.plan.plan import Plan, Roll, Rolled
from skerry.plan.stages import stage_changes
from skerry.plan.waves import Budget, Wanted, plan_waves
from skerry_node import wire


def plan_roll(
    plan: Plan,
    desired: Mapping[str, wire.Manifest],
    observed: Mapping[str, wire.Observed],
    strategies: Mapping[str, Strategy],
    cramped: Mapping[str, Mapping[str, str]] | None = None,
) -> Plan:
    """The plan with the stages of its unit actions, and with its roll: the waves of its nodes.

    `cramped` are, per node, the workloads of which two versions have no room there, and why.
    `desired` are the manifests of all nodes that the plan is about, `observed` of those that
    answered. A workload without a strategy (a job) waits for nothing and nothing waits for it;
    one that no longer is in the folder is rolled by what Kubernetes has for a Deployment.
    """
    changes = {
        node.node: changes_of(
            node, desired[node.node], observed[node.node], (cramped or {}).get(node.node, {})
        )
        for node in plan.changed
    }
    blockers = _held_back(plan, desired, changes, strategies)
    if blockers:
        nodes = {
            name: msgspec.structs.replace(node, blockers=(*node.blockers, *blockers.get(name, ())))
            for name, node in plan.nodes.items()
        }
        held = msgspec.structs.replace(plan, nodes=nodes)
        return plan_roll(held, desired, observed, strategies, cramped)
    known = {**_guessed(changes, desired, strategies), **strategies}
    budgets = {
        workload: Budget(
            down=max(
                1, strategy.max_unavailable - _down_elsewhere(workload, plan, desired, observed)
            ),
            surge=strategy.max_surge,
        )
        for workload, strategy in known.items()
    }
    waves, granted, notes = plan_waves(
        [Wanted(node=name, changes=found) for name, found in changes.items()], known, budgets
    )
    nodes = {
        name: stage_changes(node, changes[name], known, granted[name]) if name in changes else node
        for name, node in plan.nodes.items()
    }
    rolled = {
        workload: Rolled(
            order="start-first" if kinds == {"beside"} else "stop-first",
            reason=""
            if kinds == {"beside"}
            else known[workload].reason or _cramped_reason(workload, changes, cramped or {}),
            replicas=known[workload].replicas,
            max_unavailable=budgets[workload].down,
            max_surge=budgets[workload].surge,
        )
        for workload, kinds in _kinds(changes).items()
        if workload in known
    }
    roll = Roll(waves=waves, workloads=rolled, notes=notes)
    return msgspec.structs.replace(plan, nodes=nodes, roll=roll)


def count_replicas(manifests: Iterable[wire.Manifest]) -> dict[str, int]:
    """How many replicas of each workload these nodes have together."""
    replicas = {
        (unit["workload"], index, unit["replica"])
        for index, manifest in enumerate(manifests)
        for unit in manifest["units"].values()
    }
    counts: dict[str, int] = {}
    for workload, _, _ in replicas:
        counts[workload] = counts.get(workload, 0) + 1
    return counts


def limit_roll(plan: Plan, count: int) -> Plan:
    """The plan for the first nodes of the roll alone; the others are left for another time."""
    order = [name for wave in plan.roll.waves for name in wave]
    chosen, left = set(order[:count]), tuple(order[count:])
    cut = [tuple(name for name in wave if name in chosen) for wave in plan.roll.waves]
    return msgspec.structs.replace(
        plan,
        nodes={name: node for name, node in plan.nodes.items() if name not in left},
        roll=msgspec.structs.replace(
            plan.roll, waves=tuple(wave for wave in cut if wave), left=left
        ),
    )


def _held_back(
    plan: Plan,
    desired: Mapping[str, wire.Manifest],
    changes: Mapping[str, Sequence[Change]],
    strategies: Mapping[str, Strategy],
) -> dict[str, list[str]]:
    """Nodes from which a replica would go though it cannot come up where it belongs, and why.

    Only the last one that runs is kept in this way: a dead node holds nobody else up.
    """
    stuck = {*plan.unreachable, *(node.node for node in plan.blocked)}
    if not stuck:
        return {}
    homes_of = _homes(desired)
    found: dict[str, list[str]] = {}
    for node, several in changes.items():
        for change in several:
            strategy = strategies.get(change.workload)
            if strategy is None or change.kind != "remove" or not change.is_up:
                continue
            replica = change.replica if strategy.is_numbered else None
            homes = homes_of.get((change.workload, replica), {})
            if homes and stuck.issuperset(homes):
                where = " and ".join(homes)
                found.setdefault(node, []).append(
                    f"{change.workload} is to run on {where}, which cannot be changed now: here "
                    f"runs the last of it (`--without {where}` gives it another place)"
                )
    return found


def _homes(
    desired: Mapping[str, wire.Manifest],
) -> dict[tuple[str, int | None], dict[str, None]]:
    """The nodes that shall have a workload, and those that shall have one number of it."""
    homes: dict[tuple[str, int | None], dict[str, None]] = {}
    for name, manifest in desired.items():
        for entry in manifest["units"].values():
            for replica in (None, entry["replica"]):
                homes.setdefault((entry["workload"], replica), {})[name] = None
    return homes


def _kinds(changes: Mapping[str, Sequence[Change]]) -> dict[str, set[str]]:
    """In which ways replicas of each workload are replaced."""
    found: dict[str, set[str]] = {}
    for change in (one for several in changes.values() for one in several):
        if change.kind in ("beside", "replace"):
            found.setdefault(change.workload, set()).add(change.kind)
    return dict(sorted(found.items()))


def _cramped_reason(
    workload: str,
    changes: Mapping[str, Sequence[Change]],
    cramped: Mapping[str, Mapping[str, str]],
) -> str:
    """Why a workload that could start first does not, somewhere."""
    reasons = (cramped.get(node, {}).get(workload) for node in changes)
    return next((reason for reason in reasons if reason), "the old version takes a port or volume")


def _guessed(
    changes: Mapping[str, Sequence[Change]],
    desired: Mapping[str, wire.Manifest],
    strategies: Mapping[str, Strategy],
) -> dict[str, Strategy]:
    """Strategies of workloads that an older generation has and the folder has not."""
    names = {
        change.workload
        for several in changes.values()
        for change in several
        if change.workload not in strategies and change.kind in ("beside", "replace")
        if not change.is_job
    }
    replicas = count_replicas(desired.values())
    counts = {name: replicas.get(name, 0) for name in sorted(names)}
    return {
        name: Strategy(
            replicas=count,
            order="start-first",
            max_unavailable=max(1, amount_of(None, count, DEFAULT_SHARE)),
            max_surge=max(1, amount_of(None, count, DEFAULT_SHARE, rounding="up")),
        )
        for name, count in counts.items()
    }


def _down_elsewhere(
    workload: str,
    plan: Plan,
    desired: Mapping[str, wire.Manifest],
    observed: Mapping[str, wire.Observed],
) -> int:
    """How many replicas are down, or of unknown state, on nodes that the roll does not change.

    Nodes that nobody asked (``-n``) are taken to be well.
    """
    changed = {node.node for node in plan.changed}
    asked = {*plan.nodes, *plan.unreachable}
    down = 0
    for name, manifest in desired.items():
        if name in changed or name not in asked:
            continue
        units = observed[name]["units"] if name in observed else {}
        states: dict[int, bool] = {}
        for unit, entry in manifest["units"].items():
            if entry["workload"] == workload and not entry["completes"]:
                is_up = unit in units and units[unit]["active"] in ("active", "reloading")
                states[entry["replica"]] = states.get(entry["replica"], True) and is_up
        down += sum(not is_up for is_up in states.values())
    return down
