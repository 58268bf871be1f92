"""What the node says is true: files beside two manifests, units, images, facts, history."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from skerry_node import wire
from skerry_node.cache import keep, key_of, try_recall
from skerry_node.fault import NodeFault
from skerry_node.files import LARGE, Owners, look
from skerry_node.history import run_generation, run_history
from skerry_node.lock import take_lock
from skerry_node.observe import (
    TEXT_LIMIT,
    begin_observing,
    run_observe,
    try_observe_known,
    try_text,
)
from skerry_node.store import Store
from skerry_node.units import parse_show, state_of
from tests.unit.node_machine import Events, Machine, lock_request, tree
from tests.unit.wire_examples import manifest


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A node with an active generation of one unit and one file."""
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "srv").mkdir()
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/a.service").write_text("a1")
    (tmp_path / "srv/page").write_text("page")
    found = Machine(tmp_path)
    found.running["a.service"] = "a1"
    store = Store(found.host)
    store.make_folders()
    store.add_generation(
        1, tree({"a.service": "a1"}, {"/srv/page": "page"}), {"who": "eva", "state": "active"}, {}
    )
    store.set_current(1)
    return found


def observe(machine: Machine, desired: wire.Manifest | None = None, **args: Any) -> wire.Observed:
    """Runs the op, with texts."""
    args = {"manifest": desired, "text": True, "images": False, **args}
    return run_observe(args, None, Events(), machine.host)


def test_node_as_it_shall_be_has_nothing_to_tell(machine: Machine) -> None:
    found = observe(machine, tree({"a.service": "a1"}, {"/srv/page": "page"}))
    assert found["generation"] == 1
    assert found["next_number"] == 2
    assert found["on_disk"] == {}
    assert found["units"]["a.service"]["active"] == "active"
    assert found["units"]["a.service"]["memory"] is None
    assert found["unfinished"] is None
    assert found["lock"] is None


def test_who_knows_the_manifest_needs_no_request(machine: Machine) -> None:
    """A node that has the manifest of the digest answers as if it had been sent."""
    desired = tree({"a.service": "a1"}, {"/srv/page": "page"})
    digest = wire.digest_of(wire.dump(desired)).partition(":")[2]
    (machine.root / "srv/page").write_text("edited")
    found = try_observe_known(digest, Events(), machine.host)
    asked = observe(machine, desired, images=True)
    assert found is not None and found["on_disk"]["/srv/page"]["text"] == "edited"
    assert {**found, "facts": {}} == {**asked, "facts": {}}
    another = wire.digest_of(wire.dump(tree({"a.service": "a2"}, {}))).partition(":")[2]
    for strange in (another, "", "x", digest[:-1]):
        assert try_observe_known(strange, Events(), machine.host) is None
    Path(Store(machine.host).current).unlink()
    shutil.rmtree(Store(machine.host).generations)
    assert try_observe_known(digest, Events(), machine.host) is None


def shows(machine: Machine) -> list[str]:
    """What systemd was asked about."""
    return [words.partition(" -- ")[2] for words in machine.log if " show " in words]


def test_what_is_begun_before_the_request_is_not_asked_again(machine: Machine) -> None:
    begun = begin_observing(machine.host)
    assert shows(machine) == ["a.service"]
    desired = tree({"b.service": "b1"}, {"/srv/page": "other"})
    args = {"manifest": desired, "text": True, "images": True}
    found = begun(args, None, Events())
    # Of what was asked already, nothing; of a new unit, all.
    assert shows(machine) == ["a.service", "b.service"]
    # Files are looked at when the request is there.
    asked = run_observe(args, None, Events(), machine.host)
    assert {**found, "facts": {}} == {**asked, "facts": {}}


def test_what_was_begun_before_another_change_is_asked_again(machine: Machine) -> None:
    begun = begin_observing(machine.host)
    store = Store(machine.host)
    changed = tree({"a.service": "a1"}, {"/srv/page": "page"})
    store.add_generation(2, changed, {"who": "eva", "state": "active"}, {})
    store.set_current(2)
    machine.running.clear()
    found = begun({"manifest": changed, "text": True, "images": False}, None, Events())
    assert found["generation"] == 2
    assert found["units"]["a.service"]["active"] == "inactive"


def test_each_way_in_which_a_file_can_differ(machine: Machine) -> None:
    root = machine.root
    (root / "srv/page").write_text("edited")
    (root / "srv/linked").symlink_to("page")
    (root / "srv/folder").mkdir()
    (root / "srv/foreign").write_text("foreign")
    os.mkfifo(root / "srv/pipe")
    paths = ("page", "linked", "folder", "foreign", "pipe", "new", "new/below")
    desired = tree({"a.service": "a1"}, {f"/srv/{name}": "page" for name in paths})
    found = observe(machine, desired)["on_disk"]
    assert {path: one["kind"] for path, one in found.items()} == {
        "/srv/page": "file",
        "/srv/linked": "link",
        "/srv/folder": "folder",
        "/srv/foreign": "file",
        "/srv/pipe": "other",
        "/srv/new": "absent",
        "/srv/new/below": "absent",
    }
    assert found["/srv/page"]["text"] == "edited"
    assert found["/srv/page"]["owned"]
    assert not found["/srv/foreign"]["owned"]
    assert found["/srv/foreign"]["digest"] == wire.digest_of(b"foreign")
    assert found["/srv/linked"]["digest"] == ""


def test_file_that_is_to_change_comes_with_its_old_text(machine: Machine) -> None:
    desired = tree({"a.service": "a2"}, {"/srv/page": "page"})
    found = observe(machine, desired)
    assert found["on_disk"].keys() == {"/etc/systemd/system/a.service"}
    assert found["on_disk"]["/etc/systemd/system/a.service"]["text"] == "a1"
    assert found["missing"] == sorted(
        {wire.digest_of(b"a2"), wire.digest_of(b"page")},
    )
    machine.store_contents(b"a2", b"page")
    assert observe(machine, desired)["missing"] == []
    assert observe(machine, desired, text=False)["on_disk"].popitem()[1]["text"] is None


def test_file_that_is_to_go_is_told_of(machine: Machine) -> None:
    assert observe(machine, tree({}, {}))["on_disk"].keys() == {
        "/etc/systemd/system/a.service",
        "/srv/page",
    }


def test_without_a_request_it_is_the_active_generation_that_counts(machine: Machine) -> None:
    assert observe(machine)["on_disk"] == {}
    (machine.root / "srv/page").unlink()
    assert observe(machine)["on_disk"]["/srv/page"]["kind"] == "absent"


def test_units_of_both_trees_are_asked_for_at_once(machine: Machine) -> None:
    found = observe(machine, tree({"b.service": "b"}))
    assert found["units"]["a.service"]["active"] == "active"
    assert found["units"]["b.service"]["load"] == "not-found"
    assert len([line for line in machine.log if line.startswith("systemctl show")]) == 1


def test_lock_is_shown_without_its_token(machine: Machine) -> None:
    take_lock(machine.host, lock_request(), Events())
    lock = observe(machine)["lock"]
    assert lock is not None
    assert (lock["who"], lock["why"], lock["token"]) == ("eva@laptop", "apply", "")


def test_observing_changes_nothing(machine: Machine) -> None:
    def listed() -> list[str]:
        return sorted(
            str(path) for path in machine.root.rglob("*") if "run/skerry" not in str(path)
        )

    observe(machine)
    before = listed()
    observe(machine, tree({"b.service": "b"}, {"/srv/new/page": "x"}))
    assert listed() == before


def test_facts(machine: Machine) -> None:
    (machine.root / "etc/os-release").write_text('ID=debian\nVERSION_ID="13"\n# a comment\n')
    (machine.root / "etc/subuid").write_text("containers:2147483647:2147483648\n")
    facts = observe(machine)["facts"]
    assert (facts["os_id"], facts["os_version"]) == ("debian", "13")
    assert facts["memory_total"] > facts["memory_available"] > 1 << 20
    assert facts["disk_total"] >= facts["disk_free"] > 0
    assert facts["podman_version"] is None
    assert facts["container_users"] is False
    (machine.root / "etc/subgid").write_text("containers:2147483647:2147483648\n")
    assert observe(machine)["facts"]["container_users"] is True


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"text\n", "text\n"),
        ("ümläut".encode(), "ümläut"),
        (b"\xff\xfe", None),
        (b"a\0b", None),
        (b"x" * TEXT_LIMIT, "x" * TEXT_LIMIT),
        (b"x" * (TEXT_LIMIT + 1), None),
        (None, None),
    ],
)
def test_try_text(content: bytes | None, text: str | None) -> None:
    assert try_text(content) == text


def test_large_file_is_not_read_again_while_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (LARGE + 1))
    status = path.stat()
    trusted = [status.st_mtime_ns, status.st_size, status.st_ino, "sha256:remembered"]
    assert look(str(path), Owners(), trusted).digest == "sha256:remembered"
    os.utime(path, ns=(0, status.st_mtime_ns + 1))
    assert look(str(path), Owners(), trusted).digest == wire.digest_of(path.read_bytes())
    small = tmp_path / "small"
    small.write_bytes(b"x")
    status = small.stat()
    trusted = [status.st_mtime_ns, status.st_size, status.st_ino, "sha256:remembered"]
    assert look(str(small), Owners(), trusted).digest == wire.digest_of(b"x")


def test_owners_by_name_and_by_number() -> None:
    owners = Owners()
    assert owners.ids("root:root") == (0, 0)
    assert owners.ids("4711:4712") == (4711, 4712)
    assert owners.name(4711, 4712) == "4711:4712"
    assert owners.name(0, 0) == "root:root"
    with pytest.raises(NodeFault, match="nobody-here"):
        owners.ids("nobody-here:root")


def test_show_is_read_by_the_order_of_names() -> None:
    text = "Id=real.service\nActiveState=active\n\nId=b.service\nActiveState=inactive"
    found = parse_show(text, ["alias.service", "b.service"])
    assert found["alias.service"]["ActiveState"] == "active"
    with pytest.raises(NodeFault, match="told of 2 units, not of 3"):
        parse_show(text, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("memory", "expected"),
    [("4096", 4096), ("[not set]", None), ("18446744073709551615", None), ("", None)],
)
def test_memory_where_there_is_no_controller(memory: str, expected: int | None) -> None:
    assert state_of({"MemoryCurrent": memory})["memory"] == expected


def test_times_of_a_unit_are_on_the_wall_clock() -> None:
    import time

    at = int((time.monotonic() - 60) * 1e6)
    shown = {"ActiveState": "active", "ActiveEnterTimestampMonotonic": str(at)}
    assert abs(time.time() - 60 - state_of(shown)["since"]) < 1
    # It was active once; now it is not.
    assert state_of({**shown, "ActiveState": "failed"})["since"] == 0
    assert state_of({})["load"] == "not-found"


def test_history_and_one_generation(machine: Machine) -> None:
    history = run_history({}, None, Events(), machine.host)
    assert history["current"] == 1
    (entry,) = history["generations"]
    assert (entry["number"], entry["who"], entry["state"]) == (1, "eva", "active")
    found = run_generation({"number": 1}, None, Events(), machine.host)
    assert found["generation"] == entry
    assert found["manifest"]["files"].keys() == {"/etc/systemd/system/a.service", "/srv/page"}
    with pytest.raises(NodeFault, match=r"no generation 5 on the node \(kept: 1\)"):
        run_generation({"number": 5}, None, Events(), machine.host)


def test_new_node(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    found = observe(Machine(tmp_path), manifest())
    assert (found["generation"], found["manifest"], found["next_number"]) == (0, None, 1)


def test_cache_forgets_when_a_file_changes(machine: Machine) -> None:
    file = machine.root / "watched"
    gone = key_of([str(file)])
    file.write_text("1")
    key = key_of([str(file)])
    assert key != gone
    keep(machine.host, "answer", key, ["a"])
    assert try_recall(machine.host, "answer", key) == ["a"]
    file.write_text("22")
    assert try_recall(machine.host, "answer", key_of([str(file)])) is None
    Path(machine.host.volatile_path("answer")).write_text("{damaged")
    assert try_recall(machine.host, "answer", key) is None
