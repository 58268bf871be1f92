"""Switching a node from one tree to another and back, whatever happens on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from skerry_node import wire
from skerry_node.activate import run_activate, run_confirm, run_recover, run_rejoin
from skerry_node.fault import NodeFault
from skerry_node.journal import is_switch_running, try_read_journal, write_journal
from skerry_node.lock import run_lock, show_lock, take_lock
from skerry_node.observe import run_observe
from skerry_node.recover import recover, volumes_to_remove
from skerry_node.store import Store
from skerry_node.switch import run_switch
from tests.unit.node_machine import (
    TOKEN,
    Events,
    Machine,
    actions,
    activation,
    lock_request,
    tree,
)
from tests.unit.wire_examples import unit_entry

OLD_UNITS = {"a.service": "a1", "b.service": "b1", "gone.service": "g1"}
NEW_UNITS = {"a.service": "a2", "b.service": "b1", "new.service": "n1"}
OLD = tree(OLD_UNITS, {"/srv/old/deep/page": "old page", "/srv/both": "one"})
NEW = tree(NEW_UNITS, {"/srv/new/deep/page": "new page", "/srv/both": "two"})
ACT = [
    *actions("stop", "gone.service"),
    *actions("restart", "a.service"),
    *actions("start", "new.service"),
]
UNDO = [
    *actions("stop", "new.service"),
    *actions("restart", "a.service"),
    *actions("start", "gone.service"),
]


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


def make_machine(folder: Path) -> Machine:
    """The node of the fixture, in this folder."""
    (folder / "var/lib").mkdir(parents=True)
    (folder / "srv").mkdir()
    found = Machine(folder)
    contents = {"a1", "a2", "b1", "g1", "n1", "fails", "old page", "new page", "one", "two"}
    found.store_contents(*(text.encode() for text in contents))
    take_lock(found.host, lock_request(), Events())
    return found


def activate(
    machine: Machine, args: dict[str, Any], events: Events | None = None
) -> dict[str, Any]:
    """Runs the op."""
    return run_activate(args, None, events if events is not None else Events(), machine.host)


def confirm(machine: Machine, number: int) -> dict[str, Any]:
    """Runs the op."""
    args = {"token": TOKEN, "number": number, "unlock": False}
    return run_confirm(args, None, Events(), machine.host)


def start_old(machine: Machine) -> None:
    """Generation 1, the old tree, is active."""
    args = activation(OLD, act=actions("start", *OLD_UNITS))
    assert activate(machine, args)["state"] == "healthy"
    assert confirm(machine, 1) == {"state": "active"}
    machine.join()
    machine.log.clear()


def to_new(**different: Any) -> dict[str, Any]:
    """The arguments that lead from the old tree to the new one."""
    return {**activation(NEW, 1, 2, act=ACT, undo=UNDO), **different}


def raise_if_not(machine: Machine, expected: wire.Manifest, units: dict[str, str]) -> None:
    """Fails unless the node has just these files, and just these units run."""
    assert machine.texts().keys() == expected["files"].keys()
    for path, entry in expected["files"].items():
        assert wire.digest_of(machine.texts()[path].encode()) == entry["digest"], path
    assert machine.running == units
    assert not [path for path in machine.texts() if path.endswith(".skerry-new")]


def test_first_activation_then_confirmed(machine: Machine) -> None:
    events = Events()
    args = activation(OLD, act=actions("start", *OLD_UNITS))
    result = activate(machine, args, events)
    assert result == {
        "state": "healthy",
        "failed": [],
        "error": "",
        "undo_failed": "",
        "notes": [],
    }
    assert events.names() == [
        "files", "daemon-reload", "units", "unit", "unit", "unit", "health",
    ]  # fmt: skip
    # Not before it is confirmed.
    assert Store(machine.host).current_number() == 0
    assert confirm(machine, 1) == {"state": "active"}
    machine.join()
    assert Store(machine.host).current_number() == 1
    assert try_read_journal(machine.host) is None
    raise_if_not(machine, OLD, OLD_UNITS)


def test_switch_acts_on_just_the_units_that_were_named(machine: Machine) -> None:
    start_old(machine)
    assert activate(machine, to_new())["state"] == "healthy"
    confirm(machine, 2)
    raise_if_not(machine, NEW, NEW_UNITS)
    acted = [line for line in machine.log if "show" not in line and line.startswith("systemctl")]
    # What is stopped goes before its file does: without the file systemd forgets how to stop it.
    assert acted == [
        "systemctl stop -- gone.service",
        "systemctl reset-failed -- gone.service",
        "systemctl daemon-reload",
        "systemctl reset-failed -- a.service new.service",
        "systemctl --no-block restart -- a.service",
        "systemctl --no-block start -- new.service",
    ]


def test_folders_come_and_go_with_their_files(machine: Machine) -> None:
    start_old(machine)
    assert (machine.root / "srv/old/deep").is_dir()
    activate(machine, to_new())
    confirm(machine, 2)
    assert not (machine.root / "srv/old").exists()
    assert (machine.root / "srv/new/deep").stat().st_mode & 0o777 == 0o755
    # /srv was there before Skerry and stays, empty or not.
    last = tree({}, {})
    args = activation(last, 2, 3, act=actions("stop", *NEW_UNITS))
    activate(machine, args)
    confirm(machine, 3)
    assert machine.texts() == {}
    assert not (machine.root / "srv/new").exists()
    assert (machine.root / "srv").is_dir()


def test_folder_in_which_somebody_keeps_something_stays(machine: Machine) -> None:
    start_old(machine)
    (machine.root / "srv/old/note").write_text("mine")
    activate(machine, to_new())
    confirm(machine, 2)
    assert (machine.root / "srv/old/note").read_text() == "mine"
    assert not (machine.root / "srv/old/deep").exists()


def test_failing_unit_brings_the_old_generation_back(machine: Machine) -> None:
    start_old(machine)
    bad = tree({**NEW_UNITS, "a.service": "fails"}, {"/srv/new/deep/page": "new page"})
    events = Events()
    result = activate(machine, to_new(manifest=bad), events)
    assert result["state"] == "failed"
    assert result["undo_failed"] == ""
    assert result["failed"] == [
        {"unit": "a.service", "reason": "exit status 3", "log": ["no luck"]}
    ]
    assert events.names()[-1] == "undo"
    machine.join()
    assert Store(machine.host).current_number() == 1
    assert Store(machine.host).history()[0]["state"] == "failed"
    raise_if_not(machine, OLD, OLD_UNITS)
    assert not (machine.root / "srv/new").exists()


def test_unit_that_no_file_defines_is_named(machine: Machine) -> None:
    start_old(machine)
    args = to_new(actions=[*ACT, *actions("start", "lost.service")])
    args["manifest"] = {**NEW, "units": {**NEW["units"], "lost.service": unit_entry()}}
    (failed,) = activate(machine, args)["failed"]
    assert failed["unit"] == "lost.service"
    assert "no such unit" in failed["reason"]
    machine.join()
    raise_if_not(machine, OLD, OLD_UNITS)


def test_unconfirmed_switch_goes_back_by_itself(machine: Machine) -> None:
    start_old(machine)
    assert activate(machine, to_new(confirm_within=0.1))["state"] == "healthy"
    machine.join()
    raise_if_not(machine, OLD, OLD_UNITS)
    assert Store(machine.host).history()[0]["state"] == "unconfirmed"
    with pytest.raises(NodeFault) as found:
        confirm(machine, 2)
    assert found.value.id == "activation-rolled-back"


def test_confirming_twice_is_fine(machine: Machine) -> None:
    start_old(machine)
    activate(machine, to_new())
    assert confirm(machine, 2) == confirm(machine, 2) == {"state": "active"}


def test_confirm_gives_the_lock_back_when_asked(machine: Machine) -> None:
    start_old(machine)
    activate(machine, to_new())
    run_confirm({"token": TOKEN, "number": 2, "unlock": True}, None, Events(), machine.host)
    assert show_lock(machine.host) is None
    assert not is_switch_running(machine.host)


def test_rejoin_tells_the_same_from_the_beginning(machine: Machine) -> None:
    start_old(machine)
    events, again = Events(), Events()
    result = activate(machine, to_new(), events)
    args = {"token": TOKEN, "number": 2}
    assert run_rejoin(args, None, again, machine.host) == result
    assert again == events
    confirm(machine, 2)
    # The answer to confirm was lost too: the generation is active, so it is healthy.
    assert run_rejoin(args, None, Events(), machine.host)["state"] == "healthy"


def test_rejoin_after_the_switch_went_back(machine: Machine) -> None:
    start_old(machine)
    activate(machine, to_new(confirm_within=0.1))
    machine.join()
    result = run_rejoin({"token": TOKEN, "number": 2}, None, Events(), machine.host)
    assert result["state"] == "unconfirmed"


def test_rejoin_of_what_never_began(machine: Machine) -> None:
    with pytest.raises(NodeFault, match="nothing was changed"):
        run_rejoin({"token": TOKEN, "number": 1}, None, Events(), machine.host)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"token": "x" * 32}, "lock-lost"),
        ({"base": 0}, "node-changed"),
        ({"number": 3}, "node-changed"),
        ({"number": 1}, "node-changed"),
        ({"manifest": tree({}, {"/srv/x": "never sent"})}, "blob-missing"),
        ({"manifest": tree({}, {"/srv/../etc/x": "one"})}, "bad-request"),
        ({"manifest": tree({}, {"srv/x": "one"})}, "bad-request"),
        ({"manifest": tree({}, {"/srv/both/x": "one"})}, "file-in-the-way"),
        ({"manifest": tree({}, {"/srv/foreign": "one"})}, "file-in-the-way"),
        ({"manifest": tree({}, {"/srv": "one"})}, "file-in-the-way"),
        ({"manifest": tree({}, {"/srv/link": "one"})}, "file-in-the-way"),
    ],
)
def test_plan_that_does_not_fit_changes_nothing(
    machine: Machine, change: dict[str, Any], fault: str
) -> None:
    start_old(machine)
    (machine.root / "srv/foreign").write_text("not Skerry's")
    (machine.root / "srv/link").symlink_to("both")
    before = machine.texts()
    with pytest.raises(NodeFault) as found:
        activate(machine, to_new(**change))
    assert found.value.id == fault
    assert machine.texts() == before
    assert machine.log == []
    assert Store(machine.host).numbers() == [1]


def test_owner_that_does_not_exist_is_named_before_anything_is_done(machine: Machine) -> None:
    manifest = tree({}, {"/srv/x": "one"})
    manifest["files"]["/srv/x"]["owner"] = "nobody-here:root"
    with pytest.raises(NodeFault, match="nobody-here:root") as found:
        activate(machine, activation(manifest))
    assert found.value.id == "no-such-user"


def test_file_that_lay_there_just_so_is_adopted_and_left_when_going_back(machine: Machine) -> None:
    (machine.root / "srv/both").write_text("one")
    args = activation(OLD, act=actions("start", *OLD_UNITS), undo=actions("stop", *OLD_UNITS))
    activate(machine, {**args, "confirm_within": 0.1})
    machine.join()
    assert machine.texts() == {"/srv/both": "one"}
    assert machine.running == {}


def test_file_that_was_edited_by_hand_is_put_aside(machine: Machine) -> None:
    start_old(machine)
    (machine.root / "srv/both").write_text("edited")
    (machine.root / "srv/old/deep/page").unlink()
    (machine.root / "srv/old/deep/page").symlink_to("/dev/null")
    activate(machine, to_new())
    confirm(machine, 2)
    raise_if_not(machine, NEW, NEW_UNITS)
    store = Store(machine.host)
    aside = store.record(2)["displaced"]
    assert store.read_blob(aside["/srv/both"]["digest"]) == b"edited"
    assert aside["/srv/old/deep/page"]["link"] == "/dev/null"


def test_mode_alone_is_a_difference(machine: Machine) -> None:
    start_old(machine)
    (machine.root / "srv/both").chmod(0o600)
    again = activation(OLD, 1, 2)
    activate(machine, again)
    confirm(machine, 2)
    assert (machine.root / "srv/both").stat().st_mode & 0o777 == 0o644
    assert "displaced" not in Store(machine.host).record(2)


def test_switch_that_cannot_be_started_is_no_generation(machine: Machine) -> None:
    start_old(machine)
    machine.broken["systemd-run"] = "Failed to start transient service unit"
    with pytest.raises(NodeFault, match="systemd-run"):
        activate(machine, to_new())
    raise_if_not(machine, OLD, OLD_UNITS)
    assert Store(machine.host).history()[0]["state"] == "failed"
    del machine.broken["systemd-run"]
    assert activate(machine, to_new(number=3))["state"] == "healthy"
    confirm(machine, 3)


def test_error_of_a_command_on_the_way_undoes_all(machine: Machine) -> None:
    start_old(machine)
    machine.broken["systemctl daemon-reload"] = "Transport endpoint is not connected"
    result = activate(machine, to_new())
    machine.join()
    assert result["state"] == "failed"
    assert "systemctl daemon-reload" in result["error"]
    # Going back needs the same command: said, and tried again by the next run.
    assert "the next run tries again" in result["undo_failed"]
    assert run_observe({}, None, Events(), machine.host)["unfinished"] == 2
    machine.broken.clear()
    recovered = run_recover({"lock": lock_request()}, None, Events(), machine.host)["recovered"]
    assert recovered["problem"] == ""
    raise_if_not(machine, OLD, OLD_UNITS)


class Killed(BaseException):
    """Stands for SIGKILL: no code of ours runs after it."""


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
        patch.setattr("skerry_node.activate.follow", lambda *_: {})
        activate(machine, to_new(**different))
    machine.starts_switches = True


def test_killed_at_any_step_the_next_run_brings_the_old_generation_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Also a second time while it is brought back: everything can be repeated."""
    lives, ended = 0, False
    while not ended:
        machine = make_machine(tmp_path_factory.mktemp("node"))
        start_old(machine)
        pend(machine, confirm_within=0.0)
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
        lives += 1
    # The switch takes some dozens of steps; a test that saw fewer would have tested nothing.
    assert lives > 50


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
    assert "lock was lost" in events[-1]["error"]
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


def test_volumes_that_another_unit_still_uses_are_kept() -> None:
    before = {
        "a.service": unit_entry(volumes=["pod-shared", "a-own"]),
        "b.service": unit_entry(volumes=["pod-shared"]),
    }
    assert volumes_to_remove(["a.service"], before, before) == ["a-own"]
    both = ["a.service", "b.service"]
    assert volumes_to_remove(both, before, before) == ["a-own", "pod-shared"]
    assert volumes_to_remove([], before, before) == []


def test_replaced_pod_gets_new_volumes(machine: Machine) -> None:
    start_old(machine)
    machine.volumes = {"scratch", "other"}
    store = Store(machine.host)
    with_volume = store.manifest(1)
    with_volume["units"]["a.service"]["volumes"] = ["scratch"]
    path = Path(store.generations) / "1/manifest.json"
    path.write_bytes(wire.dump(with_volume))
    activate(machine, to_new())
    confirm(machine, 2)
    assert machine.volumes == {"other"}
    stopped = machine.log.index("systemctl stop -- gone.service a.service")
    removed = machine.log.index("podman volume rm scratch")
    started = machine.log.index("systemctl --no-block restart -- a.service")
    assert stopped < removed < started
