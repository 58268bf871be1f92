"""A unit's state beyond what systemd says: files that tell ready units and ended ones."""

from __future__ import annotations

import os
import time

from skerry_node.runs import next_elapse, read_runs
from skerry_node.units import state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Mapping, Optional, Set

    from skerry_node.host import Host
    from skerry_node.units import Properties
    from skerry_node.wire import UnitEntry, UnitState


def read_unit_state(host: Host, entry: Optional[UnitEntry], properties: Properties) -> UnitState:
    """The state of a unit; `entry` is None for one that no manifest has."""
    state = state_of(properties)
    if entry is None:
        return state
    if entry.get("role") == "timer":
        state["runs"] = read_runs(host, entry.get("records", ""))
        state["next"] = next_elapse(properties)
    state["ready"] = ready_seconds(host, entry) is not None
    stamp = try_read_stamp(host, entry)
    if stamp is not None and state["active"] == "inactive":
        result, _, status = stamp.partition(" ")
        # A pod whose time was over is not started again; one that failed is, by an apply.
        state["completed"] = result in ("success", "deadline")
        state["result"] = result
        state["exit_status"] = int(status) if status.isdigit() else 0
        if not state["completed"]:
            state["active"] = "failed"
    return state


def ready_seconds(host: Host, entry: UnitEntry) -> Optional[float]:
    """For how long the unit has said that it is ready; None while it does not.

    A unit that has nothing to say it with is ready as long as it is active.
    """
    path = entry.get("ready", "")
    if not path:
        return float("inf")
    try:
        return max(0.0, time.time() - os.stat(host.path(path)).st_mtime)
    except OSError:
        return None


def try_read_stamp(host: Host, entry: UnitEntry) -> Optional[str]:
    """How the unit ended for good, as ``success 0``; None where it has not."""
    path = entry.get("completed", "")
    if not path:
        return None
    try:
        with open(host.path(path)) as file:
            return file.read().strip() or "success 0"
    except OSError:
        return None


def stamps_of_jobs(entries: Mapping[str, UnitEntry]) -> Set[str]:
    """The stamps of jobs. All units of a job's pod have the pod's."""
    jobs = (entry for entry in entries.values() if entry.get("role") in ("job", "cron"))
    return {entry["completed"] for entry in jobs if entry.get("completed")}


def remove_job_stamps(
    host: Host, gone: Mapping[str, UnitEntry], kept: Mapping[str, UnitEntry]
) -> None:
    """Forgets the jobs of one tree that another one does not have, or has made anew.

    Not before the other tree is there to stay: a node that goes back must know which of its jobs
    have ended, or it would run them again.
    """
    lost = stamps_of_jobs(gone) - stamps_of_jobs(kept)
    remove_stamps(host, (entry for entry in gone.values() if entry.get("completed") in lost))


def remove_stamps(host: Host, entries: Iterable[UnitEntry]) -> None:
    """Lets units run that have ended for good, and forgets those that go."""
    for entry in entries:
        path = entry.get("completed", "")
        for name in (path, path + ".started") if path else ():
            try:
                os.unlink(host.path(name))
            except OSError:
                continue
