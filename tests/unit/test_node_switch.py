"""Switching a node from one tree to another and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skerry_node import wire
from skerry_node.activate import run_confirm, run_recover, run_rejoin
from skerry_node.fault import NodeFault
from skerry_node.files import LARGE
from skerry_node.journal import is_switch_running, try_read_journal
from skerry_node.lock import show_lock
from skerry_node.observe import run_observe
from skerry_node.recover import volumes_to_remove
from skerry_node.store import Store
from tests.unit.node_machine import TOKEN, Events, Machine, actions, activation, lock_request, tree
from tests.unit.node_switches import (
    ACT,
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
from tests.unit.wire_examples import unit_entry


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
        "systemctl daemon-reload",
        "systemctl stop -- gone.service",
        "systemctl reset-failed -- gone.service",
        "systemctl reset-failed -- a.service new.service",
        "systemctl --no-block restart -- a.service",
        "systemctl start -- new.service",
        "systemctl daemon-reload",
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
    lost = unit_entry(files=["/etc/containers/systemd/lost.container"])
    args["manifest"] = {**NEW, "units": {**NEW["units"], "lost.service": lost}}
    (failed,) = activate(machine, args)["failed"]
    assert failed["unit"] == "lost.service"
    assert "no such unit" in failed["reason"]
    assert failed["log"] == ['converting "lost.container": unsupported key']
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
    # Nobody was there to give the lock back, so the switch did.
    assert show_lock(machine.host) is None
    result = run_rejoin({"token": TOKEN, "number": 2}, None, Events(), machine.host)
    assert result["state"] == "unconfirmed"
    with pytest.raises(NodeFault, match="does not hold the node's lock"):
        run_rejoin({"token": "o" * 32, "number": 2}, None, Events(), machine.host)


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
    assert b"".join(store.read_blob(aside["/srv/both"]["digest"])) == b"edited"
    assert aside["/srv/old/deep/page"]["link"] == "/dev/null"


def test_nothing_is_written_or_removed_through_a_link_in_the_place_of_a_folder(
    machine: Machine,
) -> None:
    folder = machine.root / "etc/skerry/config/page"
    ours = tree({}, {"/etc/skerry/config/page/index.html": "one"})
    activate(machine, activation(ours))
    confirm(machine, 1)
    elsewhere = machine.root / "home"
    elsewhere.mkdir()
    (elsewhere / "index.html").write_text("somebody's own")
    (folder / "index.html").unlink()
    folder.rmdir()
    folder.symlink_to(elsewhere)
    changed = tree({}, {"/etc/skerry/config/page/index.html": "two"})
    for manifest in (changed, tree({}, {})):
        number = Store(machine.host).next_number()
        with pytest.raises(NodeFault, match="page is a link and no folder any more") as found:
            activate(machine, activation(manifest, 1, number))
        assert found.value.id == "file-in-the-way"
    assert (elsewhere / "index.html").read_text() == "somebody's own"


def test_content_that_the_store_has_lost_is_taken_from_the_disk_before_it_is_replaced(
    machine: Machine,
) -> None:
    start_old(machine)
    store = Store(machine.host)
    blob = Path(store.blob_path(wire.digest_of(b"one")))
    blob.write_bytes(b"")
    bad = tree({**NEW_UNITS, "a.service": "fails"}, {"/srv/both": "two"})
    assert activate(machine, to_new(manifest=bad))["undo_failed"] == ""
    machine.join()
    raise_if_not(machine, OLD, OLD_UNITS)
    assert blob.read_bytes() == b"one"


def test_large_file_that_was_edited_by_hand_is_put_aside(machine: Machine) -> None:
    start_old(machine)
    edited = b"large" * LARGE
    (machine.root / "srv/both").write_bytes(edited)
    activate(machine, to_new())
    confirm(machine, 2)
    raise_if_not(machine, NEW, NEW_UNITS)
    store = Store(machine.host)
    digest = store.record(2)["displaced"]["/srv/both"]["digest"]
    assert b"".join(store.read_blob(digest)) == edited


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


def staged(manifest: wire.Manifest = NEW) -> dict[str, Any]:
    """The way from the old tree to the new one in three stages."""
    act = [
        *actions("start", "new.service"),
        *actions("stop", "gone.service", stage=1),
        *actions("restart", "a.service", stage=2),
    ]
    undo = [
        *actions("restart", "a.service", stage=2),
        *actions("start", "gone.service", stage=1),
        *actions("stop", "new.service"),
    ]
    return to_new(manifest=manifest, actions=act, undo=undo)


def test_stage_begins_when_the_one_before_is_healthy(machine: Machine) -> None:
    start_old(machine)
    events = Events()
    assert activate(machine, staged(), events)["state"] == "healthy"
    confirm(machine, 2)
    raise_if_not(machine, NEW, NEW_UNITS)
    assert machine.loaded == NEW_UNITS
    verbs = ("systemctl stop", "systemctl start", "systemctl restart", "systemctl --no-block")
    assert [line for line in machine.log if line.startswith(verbs)] == [
        "systemctl start -- new.service",
        "systemctl stop -- gone.service",
        "systemctl restart -- a.service",
    ]
    assert events.names() == [
        "files", "daemon-reload", "units", "unit", "health", "stop", "units", "unit", "health",
        "files", "daemon-reload",
    ]  # fmt: skip


@pytest.mark.parametrize("bad", ["new.service", "a.service"])
def test_failing_stage_leaves_what_it_did_not_reach_alone(machine: Machine, bad: str) -> None:
    start_old(machine)
    entered = dict(machine.entered)
    units = {**NEW_UNITS, bad: "fails"}
    result = activate(machine, staged(tree(units, {"/srv/both": "two"})))
    assert result["state"] == "failed"
    assert result["undo_failed"] == ""
    assert [one["unit"] for one in result["failed"]] == [bad]
    machine.join()
    raise_if_not(machine, OLD, OLD_UNITS)
    assert machine.loaded == OLD_UNITS
    is_touched = {unit: machine.entered[unit] != entered[unit] for unit in OLD_UNITS}
    reached = bad == "a.service"
    assert is_touched == {"a.service": reached, "b.service": False, "gone.service": reached}


def test_unit_of_a_later_stage_that_came_up_anew_meanwhile_is_brought_back(
    machine: Machine,
) -> None:
    """It crashed, and systemd started it with the new files, which were there already."""
    start_old(machine)
    show = machine.systemctl_show

    def crash_once(names: list[str]) -> tuple[int, str]:
        if machine.loaded.get("a.service") == "a2" and machine.running["a.service"] == "a1":
            machine.systemctl_restart(["a.service"])
        return show(names)

    machine.systemctl_show = crash_once  # type: ignore[method-assign]
    units = {**NEW_UNITS, "new.service": "fails"}
    assert activate(machine, staged(tree(units, {"/srv/both": "two"})))["state"] == "failed"
    machine.join()
    raise_if_not(machine, OLD, OLD_UNITS)
