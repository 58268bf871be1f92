"""The table of unit actions: what is done for each state of affairs."""

from __future__ import annotations

import pytest

from skerry.plan.unit_actions import (
    UnitAction,
    decide_unit_action,
    has_ended,
    job_entries,
    undo_unit_action,
)
from skerry_node import wire
from tests.unit.node_machine import tree
from tests.unit.wire_examples import unit_entry, unit_state

WANTED = unit_entry()
RELOADS = unit_entry(reloads=True)
JOB = unit_entry(completes=True)
ACTIVE = unit_state()
FAILED = unit_state(active="failed", sub="failed", result="exit-code")
STOPPED = unit_state(active="inactive", sub="dead", since=0.0)
RAN = unit_state(active="inactive", sub="dead", since=0.0, ended=5.0)
# After a reboot systemd knows nothing of its run.
ENDED = unit_state(active="inactive", sub="dead", since=0.0, completed=True)
QUEUED = unit_state(active="inactive", sub="dead", since=0.0, queued=True)
RETRYING = unit_state(active="activating", sub="auto-restart")


@pytest.mark.parametrize(
    ("wanted", "owned", "is_changed", "state", "action"),
    [
        (WANTED, WANTED, False, ACTIVE, UnitAction.NONE),
        (WANTED, WANTED, True, ACTIVE, UnitAction.RESTART),
        (RELOADS, RELOADS, True, ACTIVE, UnitAction.RELOAD),
        (RELOADS, WANTED, True, ACTIVE, UnitAction.RESTART),
        (RELOADS, RELOADS, True, FAILED, UnitAction.RESTART),
        (WANTED, None, True, STOPPED, UnitAction.START),
        (WANTED, None, True, None, UnitAction.START),
        (WANTED, None, True, ACTIVE, UnitAction.RESTART),
        (WANTED, None, False, ACTIVE, UnitAction.NONE),
        (WANTED, None, False, RETRYING, UnitAction.RESTART),
        (WANTED, None, False, STOPPED, UnitAction.START),
        (unit_entry(files=[]), None, False, ACTIVE, UnitAction.RESTART),
        (None, WANTED, True, ACTIVE, UnitAction.STOP),
        (None, WANTED, False, STOPPED, UnitAction.STOP),
        (None, None, False, ACTIVE, UnitAction.NONE),
        (WANTED, WANTED, False, FAILED, UnitAction.START),
        (WANTED, WANTED, False, STOPPED, UnitAction.START),
        (WANTED, WANTED, False, RETRYING, UnitAction.NONE),
        (JOB, JOB, False, RAN, UnitAction.NONE),
        (JOB, JOB, False, STOPPED, UnitAction.START),
        (JOB, JOB, False, ENDED, UnitAction.NONE),
        (JOB, JOB, True, ENDED, UnitAction.RESTART),
        (WANTED, WANTED, False, QUEUED, UnitAction.NONE),
        (JOB, JOB, False, FAILED, UnitAction.START),
        (JOB, JOB, True, RAN, UnitAction.RESTART),
    ],
)
def test_action(
    wanted: wire.UnitEntry | None,
    owned: wire.UnitEntry | None,
    is_changed: bool,  # noqa: FBT001 (pytest gives it by name)
    state: wire.UnitState | None,
    action: UnitAction,
) -> None:
    found, why = decide_unit_action(wanted=wanted, owned=owned, is_changed=is_changed, state=state)
    assert found is action
    assert bool(why) == (action is not UnitAction.NONE)


@pytest.mark.parametrize(
    ("action", "was_owned", "undo"),
    [
        (UnitAction.NONE, True, UnitAction.NONE),
        (UnitAction.START, False, UnitAction.STOP),
        (UnitAction.START, True, UnitAction.NONE),
        (UnitAction.RESTART, True, UnitAction.RESTART),
        (UnitAction.RESTART, False, UnitAction.STOP),
        (UnitAction.RELOAD, True, UnitAction.RELOAD),
        (UnitAction.STOP, True, UnitAction.START),
    ],
)
def test_undo(action: UnitAction, was_owned: bool, undo: UnitAction) -> None:  # noqa: FBT001
    assert undo_unit_action(action, was_owned=was_owned) is undo


HEAD = unit_entry(role="job", completes=True, completed="/stamps/x.0@1")
CHANGED = unit_entry(role="job", completes=True, completed="/stamps/x.0@2")
LATER = unit_entry(role="cron", completes=True, completed="/stamps/x.1@1")
LATER_CHANGED = unit_entry(role="cron", completes=True, completed="/stamps/x.1@2")


@pytest.mark.parametrize(
    ("wanted", "owned", "is_changed", "state", "action"),
    [
        (HEAD, None, True, STOPPED, UnitAction.START),
        (HEAD, HEAD, False, ENDED, UnitAction.NONE),
        # Another byte in its units is no reason to run it again.
        (HEAD, HEAD, True, ENDED, UnitAction.NONE),
        (HEAD, HEAD, True, ACTIVE, UnitAction.NONE),
        (HEAD, HEAD, False, FAILED, UnitAction.NONE),
        (HEAD, HEAD, False, RETRYING, UnitAction.NONE),
        (HEAD, HEAD, False, STOPPED, UnitAction.START),
        (CHANGED, HEAD, True, ENDED, UnitAction.RESTART),
        (CHANGED, HEAD, True, FAILED, UnitAction.RESTART),
        (None, HEAD, True, ENDED, UnitAction.STOP),
        (LATER, None, True, STOPPED, UnitAction.NONE),
        (LATER, LATER, True, ACTIVE, UnitAction.NONE),
        (LATER_CHANGED, LATER, True, ACTIVE, UnitAction.STOP),
        (LATER_CHANGED, LATER, True, RETRYING, UnitAction.STOP),
        (LATER_CHANGED, LATER, True, ENDED, UnitAction.NONE),
        # Suspended: the head is none any more.
        (LATER, unit_entry(role="job", completed="/stamps/x.1@1"), False, ACTIVE, UnitAction.STOP),
        (None, LATER, True, ACTIVE, UnitAction.STOP),
    ],
)
def test_action_on_a_job(
    wanted: wire.UnitEntry | None,
    owned: wire.UnitEntry | None,
    is_changed: bool,  # noqa: FBT001 (pytest gives it by name)
    state: wire.UnitState,
    action: UnitAction,
) -> None:
    found, why = decide_unit_action(wanted=wanted, owned=owned, is_changed=is_changed, state=state)
    assert found is action
    assert bool(why) == (action is not UnitAction.NONE)


@pytest.mark.parametrize(
    ("owned", "state", "ended"),
    [
        (HEAD, ENDED, True),
        (HEAD, FAILED, True),
        (HEAD, ACTIVE, False),
        (HEAD, STOPPED, False),
        (WANTED, ENDED, False),
        (None, ENDED, False),
    ],
)
def test_a_job_that_has_ended_is_not_brought_back(
    owned: wire.UnitEntry | None, state: wire.UnitState, *, ended: bool
) -> None:
    assert has_ended(owned, state) == ended
    if ended:
        undo = undo_unit_action(UnitAction.RESTART, was_owned=True, has_ended=True)
        assert undo is UnitAction.STOP


def test_all_units_of_a_jobs_pod_are_decided_as_the_job() -> None:
    job = unit_entry(role="job", completed="/stamps/a", completes=True)
    init = unit_entry(role="init", completed="/stamps/a", completes=True)
    timer = unit_entry(role="timer")
    other = unit_entry(role="init", completed="")
    manifest = tree({})
    manifest["units"] = {"a": job, "a.first": init, "t": timer, "b.first": other}
    found = job_entries(manifest)
    assert found == {"a": job, "a.first": {**init, "role": "job"}}
    assert init["role"] == "init"
    assert has_ended(found["a.first"], ENDED)
    assert job_entries(None) == {}
