"""What to do to a unit: one pure decision, tested by a table."""

from __future__ import annotations

from enum import Enum

from skerry_node import wire

_JOB_ROLES = ("job", "cron")


class UnitAction(Enum):
    """What is done to a unit when a node switches to a new generation."""

    NONE = "none"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    RELOAD = "reload"


def decide_unit_action(
    *,
    wanted: wire.UnitEntry | None,
    owned: wire.UnitEntry | None,
    is_changed: bool,
    state: wire.UnitState | None,
) -> tuple[UnitAction, str]:
    """The action for one unit, and why.

    `wanted` is its entry in the desired tree, `owned` in the active generation; `is_changed`
    says that a file it depends on differs from what is on the node; `state` is what systemd
    says, None where it was not asked.
    """
    if wanted is None:
        return (UnitAction.STOP, "no longer wanted") if owned else (UnitAction.NONE, "")
    active = state["active"] if state else "inactive"
    if wanted.get("role") in _JOB_ROLES:
        return _decide_for_job(wanted, owned, state)
    if owned is None:
        if active == "active" and wanted["files"] and not is_changed:
            # Its files lie there just so: it runs from them, and only our record of it is lost.
            return UnitAction.NONE, ""
        if active in ("active", "activating", "reloading"):
            return UnitAction.RESTART, "new, and something else runs under its name"
        return UnitAction.START, "new"
    if is_changed:
        if active == "active" and wanted.get("reloads") and owned.get("reloads"):
            return UnitAction.RELOAD, "changed"
        return UnitAction.RESTART, "changed"
    if active == "failed":
        return UnitAction.START, "had failed"
    is_queued = state is not None and state["queued"]
    if active == "inactive" and not is_queued and not _has_completed(wanted, state):
        return UnitAction.START, "was stopped"
    return UnitAction.NONE, ""


def undo_unit_action(action: UnitAction, *, was_owned: bool, has_ended: bool = False) -> UnitAction:
    """What brings a unit back once the old files are in place again.

    What `has_ended` for good before does not run again.
    """
    if has_ended:
        return UnitAction.NONE if action is UnitAction.NONE else UnitAction.STOP
    if action is UnitAction.STOP:
        return UnitAction.START
    if action in (UnitAction.RESTART, UnitAction.RELOAD):
        return action if was_owned else UnitAction.STOP
    if action is UnitAction.START:
        # A unit that was down before and whose files did not change is left as it is now.
        return UnitAction.NONE if was_owned else UnitAction.STOP
    return UnitAction.NONE


def job_entries(manifest: wire.Manifest | None) -> dict[str, wire.UnitEntry]:
    """The units of jobs that are decided as the job's pod is, which all of its pod's are.

    An init container's or a sidecar's unit shows its own role to people; its stamp is the pod's.
    """
    units = manifest["units"] if manifest is not None else {}
    found = {name: entry for name, entry in units.items() if entry.get("role") in _JOB_ROLES}
    stamps = {entry.get("completed", "") for entry in found.values()} - {""}
    for name, entry in units.items():
        if name not in found and entry.get("completed") in stamps:
            as_job = entry.copy()
            as_job["role"] = "job"
            found[name] = as_job
    return found


def has_ended(owned: wire.UnitEntry | None, state: wire.UnitState | None) -> bool:
    """Whether a pod of a job has ended, with success or after its last try."""
    if owned is None or state is None or owned.get("role") not in _JOB_ROLES:
        return False
    return state["completed"] or state["active"] == "failed"


def _decide_for_job(
    wanted: wire.UnitEntry, owned: wire.UnitEntry | None, state: wire.UnitState | None
) -> tuple[UnitAction, str]:
    """A job's pod runs once: again when it is made from something else (`completed` differs).

    Another byte in its units is no reason; and a failed job stays so. What a timer or the pod
    before begins is never started here, and stopped only where the old content runs.
    """
    active = state["active"] if state else "inactive"
    is_up = active in ("active", "activating", "reloading", "deactivating")
    is_same = owned is not None and wanted["completed"] == owned.get("completed")
    if wanted["role"] == "cron":
        if is_up and owned is not None and (not is_same or owned.get("role") == "job"):
            return UnitAction.STOP, "suspended" if is_same else "changed"
        return UnitAction.NONE, ""
    if owned is None:
        return UnitAction.START, "new"
    if not is_same:
        return UnitAction.RESTART, "changed"
    is_queued = state is not None and state["queued"]
    if active == "inactive" and not is_queued and not _has_completed(wanted, state):
        return UnitAction.START, "was stopped"
    return UnitAction.NONE, ""


def _has_completed(wanted: wire.UnitEntry, state: wire.UnitState | None) -> bool:
    if state is None or not wanted["completes"]:
        return False
    if state["completed"]:
        return True
    return state["result"] == "success" and state["exit_status"] == 0 and state["ended"] > 0
