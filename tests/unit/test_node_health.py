"""The health gate's decision, by a table, and the wait for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from skerry_node.health import (
    FAILED,
    HEALTHY,
    WAITING,
    Acted,
    is_about_to_fail,
    judge,
    wait_for_health,
)
from skerry_node.units import has_lost_its_container
from tests.unit.node_machine import Events, Machine
from tests.unit.wire_examples import unit_entry

AT = 100.0


def shown(**different: str) -> dict[str, str]:
    """What systemctl shows of a unit that has run since 0.2 s after the action."""
    running = {
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "Result": "success",
        "NRestarts": "0",
        "ExecMainStatus": "0",
        "ActiveEnterTimestampMonotonic": "100200000",
        "InactiveEnterTimestampMonotonic": "0",
    }
    return {**running, **different}


@pytest.mark.parametrize(
    ("verb", "entry", "properties", "now", "verdict", "why"),
    [
        ("start", {}, shown(), 100.6, WAITING, ""),
        ("start", {}, shown(), 100.8, HEALTHY, ""),
        ("start", {}, shown(Job="77"), 100.8, WAITING, ""),
        # Active already when it was to be started: that counts from then on.
        ("start", {}, shown(ActiveEnterTimestampMonotonic="5000000"), 100.1, HEALTHY, ""),
        # The restart's job has not run yet: what is active is the old one.
        ("restart", {}, shown(ActiveEnterTimestampMonotonic="5000000"), 100.8, WAITING, ""),
        ("reload", {}, shown(ActiveEnterTimestampMonotonic="5000000"), 100.1, WAITING, ""),
        ("reload", {}, shown(ActiveEnterTimestampMonotonic="5000000"), 100.8, HEALTHY, ""),
        ("reload", {}, shown(ActiveState="reloading"), 100.8, WAITING, ""),
        ("start", {}, shown(ActiveState="activating", SubState="start"), 100.8, WAITING, ""),
        (
            "start",
            {"deadline": 5.0},
            shown(ActiveState="activating", SubState="start"),
            105.1,
            FAILED,
            "not healthy within 5 s: activating/start",
        ),
        (
            "start",
            {},
            shown(ActiveState="failed", Result="exit-code", ExecMainStatus="3"),
            100.1,
            FAILED,
            "exit status 3",
        ),
        ("start", {}, shown(ActiveState="failed", Result="oom-kill"), 100.1, FAILED, "oom-kill"),
        ("start", {}, shown(ActiveState="failed", Result="timeout"), 100.1, FAILED, "timeout"),
        # It had failed before, and its new start is still in the queue.
        ("start", {}, shown(ActiveState="failed", Job="5"), 100.1, WAITING, ""),
        ("start", {}, shown(LoadState="not-found"), 100.1, FAILED, "no such unit"),
        ("start", {}, shown(LoadState="bad-setting"), 100.1, FAILED, "bad-setting"),
        ("start", {}, shown(LoadState="masked"), 100.1, FAILED, "masked"),
        ("start", {}, shown(NRestarts="2"), 100.8, HEALTHY, ""),
        ("start", {}, shown(NRestarts="3"), 100.8, FAILED, "started again 3 times"),
        (
            "start",
            {},
            shown(ActiveState="activating", SubState="auto-restart", NRestarts="1"),
            102.0,
            WAITING,
            "",
        ),
        # It ended before the action; the start is still to come.
        (
            "start",
            {},
            shown(ActiveState="inactive", InactiveEnterTimestampMonotonic="99000000"),
            100.1,
            WAITING,
            "",
        ),
        (
            "start",
            {},
            shown(ActiveState="inactive", InactiveEnterTimestampMonotonic="100300000"),
            100.4,
            FAILED,
            "ended by itself (exit status 0)",
        ),
        (
            "start",
            {"completes": True},
            shown(ActiveState="inactive", InactiveEnterTimestampMonotonic="100300000"),
            100.4,
            HEALTHY,
            "",
        ),
        (
            "restart",
            {"completes": True},
            shown(ActiveState="inactive", InactiveEnterTimestampMonotonic="99000000"),
            100.4,
            WAITING,
            "",
        ),
        ("start", {"settle": 0.0}, shown(), 100.2, HEALTHY, ""),
    ],
)
def test_judge(
    verb: str,
    entry: dict[str, Any],
    properties: dict[str, str],
    now: float,
    verdict: str,
    why: str,
) -> None:
    acted = Acted(unit_entry(**entry), verb, AT)
    found, reason = judge(acted, properties, now)
    assert found == verdict
    assert why in reason


@pytest.mark.parametrize(
    ("ready_for", "verdict", "why"),
    [(None, WAITING, ""), (0.2, WAITING, ""), (0.6, HEALTHY, "")],
)
def test_ready_for_as_long_as_it_takes_to_settle(
    ready_for: float | None, verdict: str, why: str
) -> None:
    acted = Acted(unit_entry(ready="/run/skerry/x/ready"), "start", AT)
    assert judge(acted, shown(), 110.0, ready_for=ready_for)[0] == verdict


def test_unit_that_never_gets_ready_says_so() -> None:
    acted = Acted(unit_entry(deadline=5.0), "start", AT)
    verdict, why = judge(acted, shown(), 106.0, ready_for=None)
    assert (verdict, why) == (FAILED, "not healthy within 5 s: active/running, but not ready")


def test_restarted_unit_is_reported_with_how_it_ended_and_not_with_its_new_run() -> None:
    acted = Acted(unit_entry(), "start", AT)
    waiting = {"ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "2"}
    crashed = shown(**waiting, Result="exit-code", ExecMainStatus="3")
    assert judge(acted, crashed, 101.0)[0] == WAITING
    again = shown(ActiveState="activating", SubState="start", NRestarts="3")
    assert judge(acted, again, 102.0) == (FAILED, "started again 3 times (exit status 3)")


def test_deadline_begins_when_the_unit_does_and_not_while_it_waits_for_others() -> None:
    acted = Acted(unit_entry(deadline=5.0), "start", AT)
    queued = shown(ActiveState="inactive", Job="7")
    assert judge(acted, queued, 200.0)[0] == WAITING
    begun = shown(ActiveState="activating", InactiveExitTimestampMonotonic="200000000")
    assert judge(acted, begun, 204.0)[0] == WAITING
    assert judge(acted, begun, 206.0)[0] == FAILED


@pytest.mark.parametrize(
    ("stamp", "verdict", "why"),
    [("success 0", HEALTHY, ""), ("exit-code 3", FAILED, "exit-code 3"), (None, WAITING, "")],
)
def test_unit_that_ended_in_an_earlier_boot(stamp: str | None, verdict: str, why: str) -> None:
    acted = Acted(unit_entry(completes=True), "start", AT)
    found = judge(acted, shown(ActiveState="inactive"), 100.1, stamp=stamp)
    assert found[0] == verdict
    assert why in found[1]


def test_restarts_from_before_do_not_count() -> None:
    acted = Acted(unit_entry(), "reload", AT, restarts_before=7)
    assert judge(acted, shown(NRestarts="7"), 101.0)[0] == HEALTHY
    assert judge(acted, shown(NRestarts="10"), 101.0)[0] == FAILED
    # A start by hand begins to count from 0.
    assert judge(acted, shown(NRestarts="1"), 101.0)[0] == HEALTHY


def test_active_unit_that_lost_its_container_is_not_healthy() -> None:
    acted = Acted(unit_entry(deadline=5.0), "start", AT)
    assert judge(acted, shown(), 104.0, is_hollow=True)[0] == WAITING
    verdict, why = judge(acted, shown(), 106.0, is_hollow=True)
    assert (verdict, "its container has ended" in why) == (FAILED, True)


def test_container_is_looked_for_in_the_units_cgroup(tmp_path: Path) -> None:
    host = Machine(tmp_path).host
    properties = {"ControlGroup": "/system.slice/skerry-web.0.service"}
    folder = tmp_path / "sys/fs/cgroup/system.slice/skerry-web.0.service"
    # A plain unit has no container to lose; nor has one that is about to start.
    assert not has_lost_its_container(host, {"ControlGroup": ""})
    assert not has_lost_its_container(host, properties)
    (folder / "runtime").mkdir(parents=True)
    assert has_lost_its_container(host, properties)
    payload = folder / "libpod-payload-1a2b/cgroup.events"
    payload.parent.mkdir()
    payload.write_text("populated 1\nfrozen 0\n")
    assert not has_lost_its_container(host, properties)
    payload.write_text("populated 0\nfrozen 0\n")
    assert has_lost_its_container(host, properties)
    # An init container has ended, as it should.
    assert not has_lost_its_container(host, {**properties, "SubState": "exited"})


def test_one_failed_unit_ends_the_wait_for_all(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.running["good.service"] = machine.failed["bad.service"] = "x"
    machine.entered["good.service"] = time.monotonic()
    acted = {
        name: Acted(unit_entry(settle=60.0, deadline=90.0), "start", time.monotonic())
        for name in ("good.service", "bad.service")
    }
    events = Events()
    failed = wait_for_health(machine.host, acted, events)
    assert failed == {"bad.service": "exit status 3"}
    assert [event["unit"] for event in events] == ["bad.service"]


def test_what_a_unit_fell_for_is_named_beside_it(tmp_path: Path) -> None:
    """A job's container that may not run, because its init container failed meanwhile."""
    machine = Machine(tmp_path)
    machine.running["init.service"] = "x"
    machine.entered["init.service"] = time.monotonic()
    machine.failed["work.service"] = "x"

    class Looks(Events):
        def __call__(self, event: dict[str, Any]) -> None:
            super().__call__(event)
            # It failed after it was looked at, and before the other one was.
            machine.running.pop("init.service", None)
            machine.failed["init.service"] = "x"

    acted = {
        name: Acted(unit_entry(settle=60.0, deadline=90.0), "start", time.monotonic())
        for name in ("init.service", "work.service")
    }
    failed = wait_for_health(machine.host, acted, Looks())
    assert failed == dict.fromkeys(acted, "exit status 3")


@pytest.mark.parametrize(
    ("properties", "is_ending"),
    [
        ({"ActiveState": "deactivating", "SubState": "stop-post"}, True),
        ({"ActiveState": "deactivating", "SubState": "stop-sigterm", "Job": "77"}, False),
        ({"ActiveState": "activating", "SubState": "start"}, False),
        ({}, False),
    ],
)
def test_who_is_about_to_fail_is_waited_for(
    properties: dict[str, str],
    is_ending: bool,  # noqa: FBT001
) -> None:
    """systemd gives up those that depend on it before what is done after it has ended."""
    assert is_about_to_fail(shown(**properties)) == is_ending


def test_what_is_done_after_a_unit_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's own container is given up while the init container's ends are still tied up."""
    ending = shown(ActiveState="deactivating", SubState="stop-post")
    failed = shown(ActiveState="failed", SubState="failed", Result="exit-code", ExecMainStatus="1")
    looks = iter(
        [
            {"init.service": ending, "work.service": failed},
            {"init.service": ending},
            {"init.service": ending},
            {"init.service": failed},
        ]
    )
    monkeypatch.setattr("skerry_node.health.show", lambda host, units: next(looks))
    acted = {
        name: Acted(unit_entry(deadline=90.0), "start", time.monotonic())
        for name in ("init.service", "work.service")
    }
    found = wait_for_health(Machine(tmp_path).host, acted, Events())
    assert found == dict.fromkeys(acted, "exit status 1")
