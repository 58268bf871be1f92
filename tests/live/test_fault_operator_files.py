"""What lies on the operator's machine is garbage, cannot be read, or finds no room."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.live.aftermath import check_aftermath, look_at
from tests.live.cloud_for_tests import LiveCloud
from tests.live.fault_harness import APPLY, Seen, hang_up, mended, pages, serve, serve_and_look

from skerry.edge.run import Command, Finished, run

GARBAGE = {
    "empty": b"",
    "binary": bytes(range(256)) * 16,
    "cut off": b'{"images": {"localhost/bl',
    "another kind": b'[{"images": 7}]',
}


def run_with(cloud: LiveCloud, variables: dict[str, str], *words: str) -> Finished:
    """`skerry` in the folder with more variables; whatever it ends with."""
    command = cloud.command(*words)
    return run(
        msgspec.structs.replace(command, env=(*command.env, *variables.items())),
        check=False,
        timeout=300,
    )


@pytest.mark.fault("corrupt-cloud-lock")
@pytest.mark.parametrize("kind", GARBAGE)
def test_cloud_lock_is_garbage(cloud: LiveCloud, seen: Seen, kind: str) -> None:
    before = serve_and_look(cloud)
    lock = cloud.folder / "cloud.lock"
    lock.write_bytes(GARBAGE[kind])
    refused = cloud.skerry("apply", "--yes", expect=2)
    seen(refused.error_text, typed=APPLY)
    assert set(pages(cloud).values()) == {"one"}
    # What needs it not goes on: the nodes can be looked at.
    assert "web" in cloud.skerry("status", expect=None).text
    lock.unlink()
    mended(cloud, before)


@pytest.mark.fault("corrupt-operator-cache")
def test_caches_are_garbage(cloud: LiveCloud, tmp_path: Path, seen: Seen) -> None:
    before = serve_and_look(cloud)
    variables = {"XDG_CACHE_HOME": str(tmp_path)}
    assert run_with(cloud, variables, "check").status == 0
    assert run_with(cloud, variables, "plan").status == 0
    kept = [cloud.folder / ".skerry", tmp_path]
    files = [path for folder in kept for path in folder.rglob("*") if path.is_file()]
    assert files, "nothing is cached: there is nothing to damage"
    for content in GARBAGE.values():
        for path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for words in (("check",), ("plan",)):
            again = run_with(cloud, variables, *words)
            assert again.status == 0, again.error_text
            assert "Traceback" not in again.error_text
    applied = run_with(cloud, variables, "apply", "--yes")
    assert applied.status == 0, applied.error_text
    seen(applied.text.splitlines()[-1], typed=APPLY)
    mended(cloud, before)


@pytest.mark.fault("corrupt-operator-cache")
def test_caches_cannot_be_written(cloud: LiveCloud, tmp_path: Path) -> None:
    before = serve_and_look(cloud)
    # A file where the folder shall be: also for root nothing can be written there.
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    applied = run_with(cloud, {"XDG_CACHE_HOME": str(blocked)}, "apply", "--yes")
    assert applied.status == 0, applied.error_text
    mended(cloud, before)


@pytest.fixture
def pinned(cloud: LiveCloud) -> Iterator[Path]:
    """The cloud folder's known_hosts, as it was afterwards; no connection stands."""
    path = cloud.folder / "known_hosts"
    content = path.read_bytes()
    yield path
    if path.is_dir():
        path.rmdir()
    path.write_bytes(content)


@pytest.mark.fault("known-hosts-unreadable")
@pytest.mark.parametrize("kind", ["garbage", "folder", "missing"])
def test_known_hosts_cannot_be_read(cloud: LiveCloud, pinned: Path, seen: Seen, kind: str) -> None:
    before = serve_and_look(cloud)
    content = pinned.read_bytes()
    pinned.unlink()
    if kind == "garbage":
        pinned.write_bytes(GARBAGE["binary"])
    elif kind == "folder":
        pinned.mkdir()
    for name in cloud.addresses:
        hang_up(cloud, name)
    refused = cloud.skerry("apply", "--yes", expect=3)
    assert set(pages(cloud).values()) == {"one"}
    seen(refused.text.split("\n\n")[0] + "\n" + refused.error_text, typed=APPLY)
    if kind == "folder":
        pinned.rmdir()
    pinned.write_bytes(content)
    mended(cloud, before)


@pytest.mark.fault("ssh-config-error")
@pytest.mark.parametrize("kind", ["wrong option", "missing"])
def test_the_ssh_config_has_an_error(
    cloud: LiveCloud, tmp_path: Path, seen: Seen, kind: str
) -> None:
    before = serve_and_look(cloud)
    header, wrong = cloud.header, tmp_path / "ssh_config"
    if kind == "wrong option":
        wrong.write_text("Host *\n    HostNaem alpha\n" + cloud.lab.ssh_config.read_text())
    cloud.header = re.sub(r"(?m)^ssh-config: .*$", f"ssh-config: {wrong}", header)
    assert cloud.header != header
    cloud.write_cloud()
    try:
        refused = cloud.skerry("apply", "--yes", expect=2)
        seen(refused.error_text, typed=APPLY)
        assert set(pages(cloud).values()) == {"one"}
    finally:
        cloud.header = header
        cloud.write_cloud()
    mended(cloud, before)


@pytest.fixture
def cramped(cloud: LiveCloud, tmp_path: Path) -> Iterator[LiveCloud]:
    """The same cloud in a folder on a file system of 256 kB."""
    place = tmp_path / "small"
    place.mkdir()
    run(Command.of("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place))
    try:
        other = cloud.second_operator(place / "cloud")
        yield other
    finally:
        run(Command.of("umount", "-l", place))


def fill(folder: Path) -> Path:
    """Takes all room that there is beside the folder."""
    path = folder.parent / "filling"
    run(Command.of("dd", "if=/dev/zero", f"of={path}", "bs=1024"), check=False)
    return path


@pytest.mark.fault("operator-disk-full")
def test_no_room_for_what_the_nodes_said(cloud: LiveCloud, cramped: LiveCloud, seen: Seen) -> None:
    before = look_at(cloud)
    serve(cramped, "two")
    filling = fill(cramped.folder)
    refused = cramped.skerry("apply", "--yes", expect=1)
    seen(refused.error_text, typed=APPLY)
    assert set(pages(cloud).values()) == {""}
    assert sorted(path.name for path in cramped.folder.iterdir() if "lock" in path.name) == []
    filling.unlink()
    cramped.skerry("apply", "--yes")
    check_aftermath(cramped, before, restarted={"web"})


@pytest.mark.fault("operator-disk-full")
def test_no_room_for_what_was_decided(cloud: LiveCloud, cramped: LiveCloud, seen: Seen) -> None:
    before = look_at(cloud)
    serve(cramped, "one")
    cramped.skerry("apply", "--yes")
    lock = cramped.folder / "cloud.lock"
    # What the nodes said is known already; which images were meant is not.
    known = msgspec.json.decode(lock.read_bytes())
    lock.write_bytes(msgspec.json.encode({**known, "images": {}}))
    kept = lock.read_bytes()
    serve(cramped, "two")
    filling = fill(cramped.folder)
    late = cramped.skerry("apply", "--yes", expect=1)
    # The nodes are done, and it is said; the old file is whole.
    assert set(pages(cloud).values()) == {"two"}
    words = late.error_text
    seen(late.text.splitlines()[-1] + "\n" + words[words.index("error: ") :], typed=APPLY)
    assert lock.read_bytes() == kept
    filling.unlink()
    again = cramped.skerry("apply", "--yes")
    assert "nothing to change" in again.text
    check_aftermath(cramped, before, restarted={"web"})
