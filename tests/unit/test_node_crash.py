"""A switch that is killed, at every step that it takes, is finished or undone by the next run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from skerry_node.activate import run_rejoin
from skerry_node.fault import NodeFault
from skerry_node.journal import try_read_journal, write_journal
from skerry_node.lock import run_lock, take_lock
from skerry_node.observe import run_observe
from skerry_node.recover import recover
from skerry_node.store import Store
from skerry_node.switch import run_switch
from tests.unit.node_machine import TOKEN, Events, Machine, actions, lock_request
from tests.unit.node_switches import (
    NEW,
    NEW_UNITS,
    OLD,
    OLD_UNITS,
    activate,
    confirm,
    make_machine,
    raise_if_not,
    start_old,
    to_new,
)


@pytest.fixture(autouse=True)
def without_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls the plug, and the disk of a busy machine syncs slowly."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A node whose lock we hold, with the contents of both trees in its store."""
    found = make_machine(tmp_path)
    yield found
    found.join()


class Killed(BaseException):
    """Stands for SIGKILL: no code of ours runs after it."""


# a.service is replaced in the first stage; new.service is there before gone.service goes.
ROLL = {
    "actions": [
        *actions("restart", "a.service"),
        *actions("start", "new.service", stage=1),
        *actions("stop", "gone.service", stage=2),
    ],
    "undo": [
        *actions("start", "gone.service", stage=2),
        *actions("stop", "new.service", stage=1),
        *actions("restart", "a.service"),
    ],
}
STEPS = ("rename", "unlink", "mkdir", "symlink", "rmdir")


class Killer:
    """Lets a number of changes to the disk happen, and nothing after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, machine: Machine, lives: int) -> None:
        self.lives = lives
        self.is_dead = False
        for name in STEPS:
            monkeypatch.setattr(os, name, self.wrap(getattr(os, name)))
        monkeypatch.setattr(machine, "start", self.wrap(machine.start))

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, for as long as there is life left."""

        def counted(*args: Any, **more: Any) -> Any:
            if self.lives == 0 or self.is_dead:
                self.is_dead = True
                raise Killed
            self.lives -= 1
            return function(*args, **more)

        return counted


def steps_of_a_switch(machine: Machine, lives: int) -> bool:
    """Runs the switch to generation 2 for so many steps; whether it was killed before its end."""
    with pytest.MonkeyPatch.context() as patch:
        killer = Killer(patch, machine, lives)
        try:
            run_switch(machine.host, 2, lambda event: None)
        except Killed:
            return True
        return killer.is_dead


def pend(machine: Machine, **different: Any) -> None:
    """Everything that an activation does before the switch begins."""
    machine.starts_switches = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skerry_node.activate.follow_switch", lambda *_: {})
        activate(machine, to_new(**different))
    machine.starts_switches = True


@pytest.mark.parametrize("plan", [{}, ROLL], ids=["one stage", "roll"])
def test_killed_at_any_step_the_next_run_brings_the_old_generation_back(
    tmp_path_factory: pytest.TempPathFactory, plan: dict[str, Any]
) -> None:
    """Also a second time while it is brought back: everything can be repeated."""
    lives, ended = 0, False
    while not ended:
        machine = make_machine(tmp_path_factory.mktemp("node"))
        start_old(machine)
        pend(machine, confirm_within=0.0, **plan)
        ended = not steps_of_a_switch(machine, lives)
        if not ended:
            with pytest.MonkeyPatch.context() as patch, pytest.raises(BaseException) as found:
                Killer(patch, machine, lives % 17)
                recover(machine.host, Events())
                raise Killed
            assert isinstance(found.value, Killed)
        taken = run_lock({"lock": lock_request()}, None, Events(), machine.host)
        assert taken["recovered"] is None or taken["recovered"]["problem"] == ""
        assert Store(machine.host).current_number() == 1
        raise_if_not(machine, OLD, OLD_UNITS)
        assert not (machine.root / "srv/new").exists()
        assert try_read_journal(machine.host) is None
        # systemd has read just the files that are there.
        assert machine.loaded == OLD_UNITS
        lives += 1
    # The switch takes some dozens of steps; a test that saw fewer would have tested nothing.
    assert lives > 50


def test_start_first_something_runs_at_every_moment(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Killed anywhere on the way there or back, the old one or the new one of a pair runs."""
    lives, ended = 0, False
    while not ended:
        machine = make_machine(tmp_path_factory.mktemp("node"))
        start_old(machine)
        pend(machine, confirm_within=0.0, **ROLL)
        watched = Watched(machine, {"gone.service", "new.service"})
        ended = not steps_of_a_switch(machine, lives)
        recover(machine.host, Events())
        assert watched.fewest == 1
        raise_if_not(machine, OLD, OLD_UNITS)
        lives += 1
    assert lives > 50


def test_reboot_undoes_what_later_stages_would_have_done(machine: Machine) -> None:
    """At boot everything starts with the new files, whatever stage was reached."""
    start_old(machine)
    pend(machine, **ROLL)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("skerry_node.switch.start_for", kill)
        run_switch(machine.host, 2, lambda event: None)
    entry = try_read_journal(machine.host)
    assert entry is not None
    assert entry["stage"] == 0
    write_journal(machine.host, {**entry, "boot": "an earlier one"})
    machine.running = {}
    machine.reload()
    machine.systemctl_start(list(machine.loaded))
    recover(machine.host, Events())
    raise_if_not(machine, OLD, OLD_UNITS)


def kill(*_: Any) -> Any:
    """Ends the program as SIGKILL does."""
    raise Killed


class Watched:
    """The smallest number of these units that ever ran at the same time."""

    def __init__(self, machine: Machine, units: set[str]) -> None:
        self.fewest = len(units & machine.running.keys())
        command = machine.start

        def start(*argv: str, has_input: bool = False) -> Any:
            child = command(*argv, has_input=has_input)
            self.fewest = min(self.fewest, len(units & machine.running.keys()))
            return child

        machine.start = start  # type: ignore[method-assign]


def test_killed_after_the_confirmation_the_next_run_goes_on(machine: Machine) -> None:
    start_old(machine)
    activate(machine, to_new())
    entry = try_read_journal(machine.host)
    assert entry is not None
    assert entry["phase"] == "healthy"
    write_journal(machine.host, {**entry, "phase": "confirmed"})
    # The thread of the switch cannot be killed: its lock is taken as if it had been.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skerry_node.recover.try_hold_switch", lambda host: nullcontext())
        recovered = recover(machine.host, Events())
    assert recovered is not None
    assert recovered["state"] == "active"
    assert Store(machine.host).current_number() == 2
    raise_if_not(machine, NEW, NEW_UNITS)


def test_activation_planned_before_a_recovery_is_refused(machine: Machine) -> None:
    start_old(machine)
    pend(machine)
    assert steps_of_a_switch(machine, 12)
    assert run_observe({}, None, Events(), machine.host)["unfinished"] == 2
    taken = run_lock({"lock": lock_request()}, None, Events(), machine.host)
    assert taken["notes"] == ["the interrupted switch to generation 2 was undone"]
    with pytest.raises(NodeFault, match="after this plan was made") as found:
        activate(machine, to_new(number=3))
    assert found.value.id == "node-changed"


def test_activation_follows_a_switch_that_is_killed_under_it(machine: Machine) -> None:
    start_old(machine)
    pend(machine)
    assert steps_of_a_switch(machine, 25)
    result = run_rejoin({"token": TOKEN, "number": 2}, None, Events(), machine.host)
    assert result["state"] == "failed"
    assert result["error"] == "the switch was ended from outside"
    raise_if_not(machine, OLD, OLD_UNITS)


def test_switch_whose_lock_was_lost_touches_nothing(machine: Machine) -> None:
    start_old(machine)
    pend(machine)
    run_lock_of_another = lock_request("ben@desk", "o" * 32)
    Path(machine.host.state_path("lock")).unlink()
    take_lock(machine.host, run_lock_of_another, Events())
    events = Events()
    run_switch(machine.host, 2, events)
    assert events[-1]["state"] == "failed"
    assert "nothing was changed" in events[-1]["error"]
    assert "it was lost to ben@desk" in events[-1]["error"]
    raise_if_not(machine, OLD, OLD_UNITS)


def test_confirmation_of_another_boot_does_not_count(machine: Machine) -> None:
    start_old(machine)
    pend(machine, confirm_within=0.0)
    assert steps_of_a_switch(machine, 12)
    entry = try_read_journal(machine.host)
    assert entry is not None
    write_journal(machine.host, {**entry, "phase": "healthy", "boot": "an earlier one"})
    with pytest.raises(NodeFault) as found:
        confirm(machine, 2)
    assert found.value.id == "activation-rolled-back"
    raise_if_not(machine, OLD, OLD_UNITS)


@pytest.mark.parametrize("phase", ["switching", "undoing"])
def test_only_what_is_healthy_can_be_confirmed(machine: Machine, phase: str) -> None:
    start_old(machine)
    pend(machine)
    assert steps_of_a_switch(machine, 12)
    entry = try_read_journal(machine.host)
    assert entry is not None
    write_journal(machine.host, {**entry, "phase": phase})
    with pytest.raises(NodeFault) as found:
        confirm(machine, 2)
    assert found.value.id == "activation-rolled-back"
    assert Store(machine.host).current_number() == 1
    after = try_read_journal(machine.host)
    assert after is not None
    assert after["phase"] == phase
