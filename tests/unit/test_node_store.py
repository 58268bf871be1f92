"""Blobs, generations, the link to the active one, and files that are whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from skerry_node import wire
from skerry_node.durable import stage, try_read_json, write_durable
from skerry_node.fault import NodeFault, fault_of
from skerry_node.host import Host
from skerry_node.store import FAILED, PENDING, PREVIOUS, UNCONFIRMED, Store, state_of
from tests.unit.node_machine import put_blob
from tests.unit.wire_examples import file_entry, manifest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in a temporary folder."""
    found = Store(Host(str(tmp_path)))
    found.make_folders()
    return found


def test_blob_is_found_by_its_digest(store: Store) -> None:
    digest = put_blob(store, b"content")
    assert digest == wire.digest_of(b"content")
    assert store.has_blob(digest)
    assert b"".join(store.read_blob(digest)) == b"content"
    assert not store.has_blob(wire.digest_of(b"other"))


def test_missing_and_damaged_blobs_are_named(store: Store) -> None:
    with pytest.raises(NodeFault, match="is not on the node") as found:
        list(store.read_blob(wire.digest_of(b"other")))
    assert found.value.id == "blob-missing"
    digest = put_blob(store, b"content")
    Path(store.blob_path(digest)).write_bytes(b"rotten")
    with pytest.raises(NodeFault) as found:
        list(store.read_blob(digest))
    assert found.value.id == "state-damaged"
    assert not store.has_blob(digest)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../../etc/passwd", "md5:" + "a" * 64])
def test_what_is_no_digest_leads_to_no_path(store: Store, digest: str) -> None:
    with pytest.raises(NodeFault, match="is not a digest"):
        store.blob_path(digest)


def test_everything_below_the_state_folder_is_for_root_alone(store: Store) -> None:
    put_blob(store, b"secret")
    store.add_generation(1, manifest(), {}, {})
    store.set_current(1)
    for path in Path(store.host.state).rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            continue
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_new_node_has_no_generation(store: Store) -> None:
    assert store.current_number() == 0
    assert store.next_number() == 1
    assert store.manifest(0)["files"] == {}
    assert store.history() == []


def test_generations_and_the_active_one(store: Store) -> None:
    files = {"/etc/a": file_entry(b"a")}
    store.add_generation(1, manifest(files=files), {"who": "eva", "state": "active"}, {"base": 0})
    store.add_generation(2, manifest(), {"who": "ben", "state": "pending"}, {"base": 1})
    store.set_current(1)
    assert str(Path(store.current).readlink()) == "generations/1"
    assert store.next_number() == 3
    assert store.manifest(1)["files"] == files
    assert [(one["number"], one["state"]) for one in store.history(switching=2)] == [
        (2, "pending"),
        (1, "active"),
    ]
    store.set_current(2)
    assert [(one["number"], one["state"]) for one in store.history()] == [
        (2, "active"),
        (1, "previous"),
    ]


def test_numbers_are_not_given_twice(store: Store) -> None:
    for number in (1, 2):
        store.add_generation(number, manifest(), {}, {})
    store.set_current(2)
    store.remove_generation(1)
    store.remove_generation(2)
    assert store.next_number() == 3


def test_half_written_generation_is_none(store: Store, tmp_path: Path) -> None:
    left = Path(store.generations) / ".3.skerry-new"
    left.mkdir()
    (left / "manifest.json").write_text("{")
    assert store.numbers() == []
    store.add_generation(3, manifest(), {}, {})
    assert store.numbers() == [3]
    assert not left.exists()


def test_generation_that_is_not_there(store: Store) -> None:
    with pytest.raises(NodeFault, match="generation 7 is not on the node"):
        store.manifest(7)


def test_damaged_state_says_which_file(store: Store) -> None:
    store.add_generation(1, manifest(), {}, {})
    path = Path(store.generations) / "1/manifest.json"
    path.write_text('{"files": ')
    with pytest.raises(NodeFault, match=r"1/manifest\.json is damaged") as found:
        store.manifest(1)
    assert found.value.id == "state-damaged"


def test_lost_link_is_found_again_and_a_folder_in_its_place_is_said(store: Store) -> None:
    for number, state in enumerate(("active", "active", "failed"), start=1):
        store.add_generation(number, manifest(), {"state": state}, {})
    current = Path(store.current)
    assert store.current_number() == 2
    current.write_text("1")
    assert store.current_number() == 2
    current.unlink()
    current.symlink_to("generations/9")
    assert store.current_number() == 2
    current.unlink()
    current.symlink_to("generations/1")
    assert store.current_number() == 1
    current.unlink()
    current.mkdir()
    with pytest.raises(NodeFault, match="a folder is there") as found:
        store.current_number()
    assert "move it away" in found.value.hint


@pytest.mark.parametrize(
    ("recorded", "is_current", "is_switching", "state"),
    [
        ("active", True, False, "active"),
        # Confirmed, but the machine went down before the record was written.
        ("pending", True, False, "active"),
        ("active", False, False, PREVIOUS),
        ("pending", False, True, PENDING),
        ("pending", False, False, FAILED),
        ("failed", False, False, FAILED),
        ("unconfirmed", False, False, UNCONFIRMED),
    ],
)
def test_state_of(recorded: str, is_current: bool, is_switching: bool, state: str) -> None:  # noqa: FBT001
    assert state_of(recorded, is_current=is_current, is_switching=is_switching) == state


def test_digests_of_include_what_was_put_aside(store: Store) -> None:
    record = {"displaced": {"/etc/b": {"digest": "sha256:b"}, "/etc/c": {"link": "/x"}}}
    store.add_generation(1, manifest(files={"/etc/a": file_entry(b"a")}), record, {})
    assert store.digests_of([1]) == {wire.digest_of(b"a"), "sha256:b"}


def test_staged_file_has_its_mode_before_it_has_its_name(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_text("old")
    left = tmp_path / ".a.skerry-new"
    left.symlink_to("/etc/passwd")
    temporary = stage(str(target), (b"n", b"ew"), 0o640)
    assert temporary == str(left)
    assert target.read_text() == "old"
    assert stat.S_IMODE(os.lstat(temporary).st_mode) == 0o640
    assert not left.is_symlink()


def test_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    target.write_text("old")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space") as found:
        write_durable(str(target), b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert target.read_text() == "old"
    fault = fault_of(found.value)
    assert fault is not None
    assert fault.id == "disk-full"
    assert str(target) in fault.message


def test_errors_that_nobody_can_mend_are_bugs() -> None:
    assert fault_of(OSError(errno.EBADF, "Bad file descriptor")) is None
    read_only = fault_of(OSError(errno.EROFS, "Read-only", "/etc/x"))
    assert read_only is not None
    assert read_only.id == "read-only"
    assert "/etc/x" in read_only.message


def test_json_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert try_read_json(str(tmp_path / "none")) is None
