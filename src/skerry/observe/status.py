"""The state of every replica in words: desired trees beside what was observed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from skerry.errors import NodeError
from skerry_node import wire

# From best to worst; a pod is as well as the worst of its containers.
STATES = (
    "waiting",
    "suspended",
    "scheduled",
    "completed",
    "running",
    "stopping",
    "not-ready",
    "starting",
    "stopped",
    "restarting",
    "failed",
    "missing",
    "absent",
    "extra",
    "unreachable",
)
# What begins a cron job's jobs; and the states of its pods between two jobs.
CRON_SERVICE = ".cron.service"
_DOWN = ("waiting", "completed", "stopped", "failed")
# The states in which a replica is as it shall be.
GOOD_STATES = ("running", "completed", "waiting", "suspended", "scheduled")


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of a workload on one node, or one container of it.

    `state` is one of `STATES`: ``not-ready`` runs, and its readiness probe fails; ``missing`` is
    recorded on the node but systemd has no such unit; ``absent`` is in the folder but not on the
    node; ``extra`` is on the node but not in the folder, and `runs` says how it does there; `runs`
    is the state of the units alone elsewhere too, and empty where there are none. `memory` is in
    bytes, None where the node has no memory controller; `memory_limit` in bytes, None where some
    container has no limit. `age` is in seconds since the start by the node's own clock, None for
    what does not run. `replica` is None for an unreachable node of which nothing is known.

    ``waiting`` is a pod of a job that comes after others; a cron job is ``scheduled`` or
    ``suspended`` while no job of it runs. `last` is how its last job ended, `last_age` how long
    ago and `next_in` in how long it begins the next one, in seconds.
    """

    workload: str
    node: str
    replica: int | None
    state: str
    container: str = ""
    runs: str = ""
    restarts: int = 0
    memory: int | None = None
    memory_limit: int | None = None
    age: float | None = None
    images: tuple[str, ...] = ()
    image_ids: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    generation: int | None = None
    reason: str = ""
    last: str = ""
    last_age: float | None = None
    next_in: float | None = None


def status_of_nodes(
    desired: Mapping[str, wire.Manifest] | None,
    observed: Mapping[str, wire.Observed | NodeError],
    *,
    by_container: bool = False,
) -> list[ReplicaStatus]:
    """The rows of all nodes, sorted by workload, node, replica and container.

    Without `desired` the nodes' own active generations say what shall be there.
    """
    rows: list[ReplicaStatus] = []
    for node, answer in observed.items():
        wanted = desired[node] if desired is not None else None
        if isinstance(answer, NodeError):
            rows += _unreachable(node, wanted, answer, by_container=by_container)
        else:
            rows += _rows_of_node(node, wanted, answer, by_container=by_container)
    return sorted(rows, key=lambda row: (row.workload, row.node, row.replica or 0, row.container))


def state_of_unit(entry: wire.UnitEntry, state: wire.UnitState | None) -> str:
    """What a unit does, in one word of `STATES`, by systemd's words."""
    if state is None or state["load"] == "not-found":
        return "missing"
    active, sub = state["active"], state["sub"]
    if entry.get("role") == "timer" and active == "active":
        return "scheduled"
    if active == "active":
        if sub == "exited" and entry["completes"]:
            return "completed"
        return "running" if state["ready"] else "not-ready"
    if active == "reloading":
        return "running"
    if active == "activating":
        return "restarting" if sub.startswith("auto-restart") else "starting"
    if active == "deactivating":
        return "stopping"
    if active == "failed":
        return "failed"
    if state["queued"]:
        return "starting"
    if state["completed"]:
        return "completed" if state["result"] == "success" else "failed"
    if entry.get("role") == "cron":
        return "waiting"
    succeeded = state["result"] == "success" and state["exit_status"] == 0 and state["ended"] > 0
    return "completed" if entry["completes"] and succeeded else "stopped"


def worst_state(states: Iterable[str]) -> str:
    """The worst of several states."""
    return max(states, key=STATES.index)


Group = dict[str, wire.UnitEntry]


def state_of_group(group: Group, states: Mapping[str, wire.UnitState]) -> str:
    """What a replica does. A cron job does what a job of it does, as long as one is up."""
    found = {unit: state_of_unit(entry, states.get(unit)) for unit, entry in group.items()}
    if any(unit.endswith(CRON_SERVICE) for unit in group):
        timer = [state for unit, state in found.items() if group[unit].get("role") == "timer"]
        found = {unit: state for unit, state in found.items() if state not in _DOWN}
        return worst_state([*found.values(), *(timer or ["suspended"])])
    return worst_state(found.values())


def group_units(
    manifest: wire.Manifest | None, *, by_container: bool = False
) -> dict[tuple[str, int, str], Group]:
    """The units of a manifest by (workload, replica, container).

    The container is empty where all of a pod's units are together. The unit of a pod itself has
    no container; it has a group of its own only in a pod without any.
    """
    groups: dict[tuple[str, int, str], Group] = {}
    for unit, entry in manifest["units"].items() if manifest else ():
        container = entry["container"] if by_container else ""
        groups.setdefault((entry["workload"], entry["replica"], container), {})[unit] = entry
    if by_container:
        named = {(workload, replica) for workload, replica, container in groups if container}
        groups = {key: group for key, group in groups.items() if key[2] or key[:2] not in named}
    return groups


def _unreachable(
    node: str, wanted: wire.Manifest | None, error: NodeError, *, by_container: bool
) -> list[ReplicaStatus]:
    groups = group_units(wanted, by_container=by_container)
    if not groups:
        return [
            ReplicaStatus(
                workload="", node=node, replica=None, state="unreachable", reason=error.message
            )
        ]
    return [
        ReplicaStatus(
            workload=workload,
            node=node,
            replica=replica,
            container=container,
            state="unreachable",
            reason=error.message,
        )
        for workload, replica, container in groups
    ]


def _rows_of_node(
    node: str, wanted: wire.Manifest | None, observed: wire.Observed, *, by_container: bool
) -> list[ReplicaStatus]:
    there = group_units(observed["manifest"], by_container=by_container)
    shall = there if wanted is None else group_units(wanted, by_container=by_container)
    now = float(observed["facts"].get("time", 0.0))
    rows = []
    for key in {**shall, **there}:
        group = there.get(key) or shall[key]
        states = {unit: observed["units"][unit] for unit in group if unit in observed["units"]}
        runs = state_of_group(group, states)
        state = "absent" if key not in there else "extra" if key not in shall else runs
        if state == "absent":
            states, runs = {}, ""
        row = _row(node, key, group, states, now)
        rows.append(
            msgspec.structs.replace(row, state=state, runs=runs, generation=observed["generation"])
        )
    return rows


def _row(
    node: str,
    key: tuple[str, int, str],
    group: Group,
    states: Mapping[str, wire.UnitState],
    now: float,
) -> ReplicaStatus:
    workload, replica, container = key
    # A pod's own unit holds the pause process only; its containers' units hold the rest.
    containers = [entry for entry in group.values() if entry["image_id"]] or list(group.values())
    limits = [entry["memory_limit"] for entry in containers]
    memory = [state["memory"] for state in states.values() if state["memory"] is not None]
    started = [
        state["since"]
        for unit, state in states.items()
        if state["since"] > 0 and group[unit].get("role") != "timer"
    ]
    runs = [run for state in states.values() for run in state["runs"]]
    elapses = [state["next"] for state in states.values() if state["next"] > 0]
    return ReplicaStatus(
        workload=workload,
        node=node,
        replica=replica,
        container=container,
        state="running",
        restarts=sum(state["restarts"] for state in states.values()),
        memory=sum(memory) if memory else None,
        memory_limit=sum(limit for limit in limits if limit) if all(limits) else None,
        age=max(0.0, now - min(started)) if started and now else None,
        images=_each_once(entry["image"] for entry in containers),
        image_ids=_each_once(entry["image_id"] for entry in containers),
        ports=_each_once(port for entry in group.values() for port in entry["ports"]),
        units=tuple(sorted(group)),
        last=runs[0]["result"] if runs else "",
        last_age=max(0.0, now - runs[0]["ended"]) if runs and now else None,
        next_in=max(0.0, min(elapses) - now) if elapses and now else None,
    )


def _each_once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))
