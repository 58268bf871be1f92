"""What the unit actions of a node's plan come to, replica by replica. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

from skerry.compile.rolling.names import has_revision
from skerry.compile.rolling.revision import LASTING
from skerry.plan.plan import NodePlan
from skerry.plan.steps import ActOnUnit
from skerry.plan.unit_actions import UnitAction
from skerry_node import wire

Kind = Literal["create", "remove", "replace", "beside", "mend"]
_JOBS = ("job", "cron", "timer")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one replica on one node.

    `kind`: it is made, removed, replaced (the old one goes first), replaced with the new one
    beside the old one, or mended: nothing of it that runs is taken down. `is_up` says that it
    runs now; `is_job` that it ends by itself, so that nothing waits for it.
    """

    workload: str
    replica: int
    kind: Kind
    is_up: bool
    is_job: bool
    steps: tuple[ActOnUnit, ...]


def changes_of(
    plan: NodePlan,
    desired: wire.Manifest,
    observed: wire.Observed,
    cramped: Collection[str] = (),
) -> tuple[Change, ...]:
    """The changes of a node's replicas, by workload and replica.

    Of the `cramped` workloads two versions have no room there: the old one goes first.
    """
    active = observed["manifest"]
    owned = active["units"] if active is not None else {}
    groups: dict[tuple[str, int], list[ActOnUnit]] = {}
    for step in plan.steps:
        if isinstance(step, ActOnUnit):
            entry = desired["units"].get(step.unit) or owned[step.unit]
            groups.setdefault((entry["workload"], entry["replica"]), []).append(step)
    changes = (
        _change(key, tuple(steps), _of(desired["units"], key), _of(owned, key), observed["units"])
        for key, steps in sorted(groups.items())
    )
    return tuple(
        msgspec.structs.replace(one, kind="replace")
        if one.kind == "beside" and one.workload in cramped
        else one
        for one in changes
    )


Entries = dict[str, wire.UnitEntry]


def _of(units: Entries, key: tuple[str, int]) -> Entries:
    """The units of one replica."""
    return {
        unit: entry for unit, entry in units.items() if (entry["workload"], entry["replica"]) == key
    }


def _change(
    key: tuple[str, int],
    steps: tuple[ActOnUnit, ...],
    wanted: Entries,
    owned: Entries,
    states: dict[str, wire.UnitState],
) -> Change:
    lasting = {unit for unit, entry in owned.items() if entry.get("role", "container") in LASTING}
    is_up = bool(lasting) and all(
        unit in states and states[unit]["active"] in ("active", "reloading") for unit in lasting
    )
    return Change(
        workload=key[0],
        replica=key[1],
        kind=_kind(steps, wanted, owned),
        is_up=is_up,
        is_job=all(entry.get("role") in _JOBS for entry in (wanted or owned).values()),
        steps=steps,
    )


def _kind(steps: tuple[ActOnUnit, ...], wanted: Entries, owned: Entries) -> Kind:
    if not owned:
        return "create"
    if not wanted:
        return "remove"
    lasting = {unit for unit, entry in wanted.items() if entry.get("role", "container") in LASTING}
    if lasting and lasting.isdisjoint(owned):
        return "beside" if _can_stand_beside(lasting, owned) else "replace"
    takes_down = any(step.action in (UnitAction.RESTART, UnitAction.STOP) for step in steps)
    return "replace" if takes_down else "mend"


def _can_stand_beside(wanted: set[str], owned: Entries) -> bool:
    """Whether the new units take nothing that the old ones have: the old ones may be of a
    version that took a port or a claim."""
    takes = any("->" in port for entry in owned.values() for port in entry["ports"])
    claims = any(entry.get("claims") for entry in owned.values())
    return all(map(has_revision, wanted)) and not takes and not claims
