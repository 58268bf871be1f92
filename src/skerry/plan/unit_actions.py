"""What to do to a unit: one pure decision, tested by a table."""

from __future__ import annotations

from enum import Enum

from skerry_node import wire


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
    if owned is None:
        if active in ("active", "activating", "reloading"):
            return UnitAction.RESTART, "new, and something else runs under its name"
        return UnitAction.START, "new"
    if is_changed:
        if active == "active" and wanted["reloads"] and owned["reloads"]:
            return UnitAction.RELOAD, "changed"
        return UnitAction.RESTART, "changed"
    if active == "failed":
        return UnitAction.START, "had failed"
    is_queued = state is not None and state["queued"]
    if active == "inactive" and not is_queued and not _has_completed(wanted, state):
        return UnitAction.START, "was stopped"
    return UnitAction.NONE, ""


def undo_unit_action(action: UnitAction, *, was_owned: bool) -> UnitAction:
    """What brings a unit back once the old files are in place again."""
    if action is UnitAction.STOP:
        return UnitAction.START
    if action in (UnitAction.RESTART, UnitAction.RELOAD):
        return action if was_owned else UnitAction.STOP
    if action is UnitAction.START:
        # A unit that was down before and whose files did not change is left as it is now.
        return UnitAction.NONE if was_owned else UnitAction.STOP
    return UnitAction.NONE


def _has_completed(wanted: wire.UnitEntry, state: wire.UnitState | None) -> bool:
    if state is None or not wanted["completes"]:
        return False
    if state["completed"]:
        return True
    return state["result"] == "success" and state["exit_status"] == 0 and state["ended"] > 0
