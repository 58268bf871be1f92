"""A lab comes up fast, leaves nothing behind, and is mended after whatever happened to it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from tests.live.lab_harness import (
    can_connect,
    host_key,
    open_to_ssh,
    processes_in,
    ssh,
    traces,
    wait_until,
)

from skerry.edge.run import Command, run, start
from skerry.errors import LabError
from skerry.lab import Lab, State
from skerry.lab.overlay import Overlays
from skerry.lab.pool import Pool
from skerry.lab.root import PLAIN, WARM_PACKAGES, recipe_of
from skerry.lab.storage import Storage

NewLab = Callable[..., Lab]


@pytest.fixture(scope="session")
def lab(breakable_lab: Lab) -> Lab:
    """Not the one on which the session's cloud stands."""
    return breakable_lab


@pytest.fixture
def small(new_lab: NewLab) -> Iterator[Lab]:
    """A lab of its own for one test; not up."""
    lab = new_lab("small")
    yield lab
    lab.down()


@pytest.fixture
def plain_root(lab: Lab) -> Path:
    """The plain root in the cache of all labs, which the session's lab keeps mounted."""
    return lab.storage.roots(print).ensure(PLAIN)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own: here a lab is the last one when it goes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache dir"))
    return tmp_path / "cache dir/skerry/lab"


def seed(storage: Storage, plain_root: Path) -> None:
    """Puts a copy of the plain root into a cache, in place of a build of a minute."""
    storage.open()
    roots = storage.roots(print)
    roots.folder.mkdir(parents=True, exist_ok=True)
    copy = roots.folder / plain_root.name
    roots.make_folder(copy)
    run(Command.of("cp", "-a", "--reflink=auto", f"{plain_root}/.", copy))


def kill_all_processes(lab: Lab) -> None:
    """kill -9 of all that the lab runs, as when a CI job is ended."""
    cgroup = lab.nodes[0].ground.cgroup
    for pid in processes_in(cgroup):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "populated 0" in (cgroup / "cgroup.events").read_text(), 10, "no process")


def test_three_nodes_answer_within_ten_seconds(small: Lab, plain_root: Path) -> None:
    took: list[float] = []
    # What else runs on this machine makes seconds of one round and none of another.
    while len(took) < 3 and (not took or took[-1] >= 10):
        small.down()
        begun = time.monotonic()
        small.up(nodes=3)
        took.append(time.monotonic() - begun)
    assert [ssh(small, node.name, "hostname").text for node in small.nodes] == [
        "alpha",
        "beta",
        "gamma",
    ]
    assert [node.address for node in small.nodes] == ["198.18.1.10", "198.18.2.11", "198.18.3.12"]
    assert min(took) < 10, took
    for name in ("alpha", "beta", "gamma"):
        state = ssh(small, name, "systemctl is-system-running --wait", check=False).text
        assert state == "running", ssh(small, name, "systemctl --failed").text


def test_plain_node_is_as_rented(small: Lab) -> None:
    small.up(nodes=1)
    missing = "podman sudo skerry crun xdelta3"
    found = ssh(small, "alpha", f"for word in {missing}; do command -v $word; done; true").text
    assert found == ""
    assert ssh(small, "alpha", "cat /etc/subuid 2>/dev/null; true").text == ""
    version = ssh(small, "alpha", ". /etc/os-release; echo $ID $VERSION_ID").text
    assert version == "debian 13"
    # What bootstrap installs lies there already: with no mirror at all it can be had.
    offline = "apt-get -y -qq --no-install-recommends --no-download --download-only install"
    ssh(small, "alpha", f"{offline} {' '.join(WARM_PACKAGES)}")


def test_password_only_node(small: Lab) -> None:
    small.up(nodes=2, password_only=["beta"])
    assert ssh(small, "alpha", "true").status == 0
    refused = ssh(small, "beta", "true", check=False)
    assert refused.status == 255
    assert "Permission denied" in refused.error_text
    words = ("-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "beta", "hostname")
    answer = run(
        Command.of(
            "ssh", "-F", small.ssh_config, *words,
            SSH_ASKPASS=str(_askpass(small)), SSH_ASKPASS_REQUIRE="force",
        )
    )  # fmt: skip
    assert answer.text == "beta"
    with pytest.raises(LabError, match="alpha: only a node that is made now"):
        small.up(password_only=["alpha"])


def _askpass(lab: Lab) -> Path:
    script = lab.places.state / "askpass"
    script.write_text(f"#!/bin/sh\necho '{lab.password}'\n")
    script.chmod(0o700)
    return script


def test_up_again_starts_what_is_missing_and_adds(small: Lab) -> None:
    assert small.up(nodes=1) == ["alpha"]
    assert small.up() == []
    small.node("alpha").kill()
    assert small.up(nodes=2) == ["alpha", "beta"]
    assert small.up(nodes=1) == []
    assert len(small.nodes) == 2


def test_down_leaves_nothing(small: Lab) -> None:
    small.up(nodes=1)
    small.node("alpha").freeze()
    assert traces(small), "or the next assertions would prove nothing"
    # Whoever stands in the lab's network goes with it.
    bystander = start(small.inside("sleep", "1000"))
    try:
        inside = small.places.namespace_path.stat().st_ino
        there = Path(f"/proc/{bystander.pid}/ns/net")
        wait_until(lambda: there.stat().st_ino == inside, 5, "a bystander in the namespace")
        assert small.down()
        assert bystander.wait(timeout=10) != 0
    finally:
        bystander.kill()
        bystander.wait()
    assert traces(small) == []
    assert not small.down()
    assert traces(small) == []


def test_last_lab_leaves_no_loop_device_and_no_mount(
    restored_lab: Lab, own_cache: Path, plain_root: Path, new_lab: NewLab
) -> None:
    first, second = new_lab("first"), new_lab("second")
    pool = Pool(first.places)
    seed(pool, plain_root)
    first.up(nodes=1)
    second.up(nodes=1)
    # A machine of a lab with another cache, started now, must not keep what it sees mounted.
    restored_lab.node("gamma").kill()
    restored_lab.up()
    assert loop_devices(pool.file)
    first.down()
    assert traces(first) == []
    assert ssh(second, "alpha", "hostname").text == "alpha", "one lab's end is not the other's"
    assert loop_devices(pool.file)
    second.down()
    assert traces(second) == []
    assert loop_devices(pool.file) == []
    assert str(pool.mount) not in Path("/proc/mounts").read_text()
    # The cache itself stays: the next lab mounts it and need not build.
    assert pool.file.exists()


def loop_devices(file: Path) -> list[str]:
    """The loop devices that have the file, wherever it is mounted."""
    return run(Command.of("losetup", "-j", file)).text.splitlines()


def test_after_a_reboot_of_this_computer(
    own_cache: Path, plain_root: Path, new_lab: NewLab
) -> None:
    lab = new_lab("rebooted")
    pool = Pool(lab.places)
    seed(pool, plain_root)
    lab.up(nodes=1)
    key = host_key(lab, "alpha")
    lose_all(lab, pool)
    assert lab.node("alpha").state() is State.DOWN
    assert lab.up() == ["alpha"]
    assert host_key(lab, "alpha") == key, "the disks are still there"
    lose_all(lab, pool)
    assert lab.down()
    assert traces(lab) == []
    assert loop_devices(pool.file) == []


def lose_all(lab: Lab, pool: Pool) -> None:
    """What a reboot takes away: processes, cgroups, namespaces and mounts, but no file."""
    kill_all_processes(lab)
    cgroup = lab.nodes[0].ground.cgroup
    for folder in sorted(cgroup.rglob("*/"), reverse=True):
        folder.rmdir()
    cgroup.rmdir()
    run(Command.of("umount", lab.places.namespace_path))
    run(Command.of("umount", pool.mount))
    for line in loop_devices(pool.file):
        run(Command.of("losetup", "--detach", line.split(":")[0]), check=False)


def test_killed_lab_comes_back_with_up(small: Lab) -> None:
    small.up(nodes=1)
    key = host_key(small, "alpha")
    # With a connection that nobody closes: it keeps the dead node's network for a while.
    with open_to_ssh(small, small.node("alpha")):
        small.node("alpha").cut()
        kill_all_processes(small)
        assert small.node("alpha").state() is State.DOWN
        assert small.up() == ["alpha"]
        small.node("alpha").heal()
    assert host_key(small, "alpha") == key
    installed = "apt-get -o Acquire::Retries=0 -qq download hello && ls hello_*"
    assert "hello_" in ssh(small, "alpha", installed).text, "the package proxy is back too"


def test_killed_lab_is_removed_by_down(small: Lab) -> None:
    small.up(nodes=1)
    kill_all_processes(small)
    assert traces(small)
    small.down()
    assert traces(small) == []


def test_lab_without_records_is_found(small: Lab) -> None:
    small.up(nodes=1)
    key, password = host_key(small, "alpha"), small.password
    shutil.rmtree(small.places.state)
    assert small.up(nodes=1) == ["alpha"], "what runs belongs to nobody: it is made anew"
    assert small.password != password
    assert host_key(small, "alpha") != key
    shutil.rmtree(small.places.state)
    assert small.down()
    assert traces(small) == []


def test_two_labs_side_by_side(small: Lab, new_lab: NewLab) -> None:
    other = new_lab("other")
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda lab: lab.up(nodes=1), (small, other)))
    one, two = small.node("alpha"), other.node("alpha")
    assert one.address == two.address
    assert host_key(small, "alpha") != host_key(other, "alpha")
    one.cut()
    assert not can_connect(small.places.namespace_path, one.address)
    assert can_connect(other.places.namespace_path, two.address)
    small.down()
    assert traces(small) == []
    assert ssh(other, "alpha", "hostname").text == "alpha"
    other.down()
    assert traces(other) == []


def test_overlay_where_btrfs_is_missing(own_cache: Path, plain_root: Path, new_lab: NewLab) -> None:
    lab = new_lab("overlay")
    lab.storage = Overlays(lab.places)
    seed(lab.storage, plain_root)
    lab.up(nodes=1)
    assert ssh(lab, "alpha", "stat -f -c %T /").text == "overlayfs"
    # Podman's own overlays lie there.
    assert ssh(lab, "alpha", "stat -f -c %T /var/lib/containers").text != "overlayfs"
    ssh(lab, "alpha", "echo kept > /root/kept")
    key = host_key(lab, "alpha")
    alpha = lab.node("alpha")
    alpha.kill()
    run(Command.of("umount", alpha.disk))
    lab.up()
    assert ssh(lab, "alpha", "cat /root/kept").text == "kept"
    lab.renew("alpha")
    assert host_key(lab, "alpha") != key
    assert ssh(lab, "alpha", "ls /root").text == ""
    lab.down()
    assert traces(lab) == []


def test_build_that_was_killed_is_done_once_more_and_only_once(
    lab: Lab, own_cache: Path, new_lab: NewLab
) -> None:
    # Downloads are not what is tested.
    shutil.copytree(lab.places.cache / "packages", own_cache / "packages")
    first = [new_lab("built-one"), new_lab("built-two")]
    words = ("-m", "skerry", "lab", "--name", first[0].name, "up", "--nodes", "1")
    killed = start(Command.of(sys.executable, *words))
    roots = own_cache / "pool/roots"
    wait_until(lambda: list(roots.glob(".building-*/usr/bin/*")), 120, "a build on its way")
    killed.kill()
    killed.wait()
    # Unlike it, the processes of its own namespace end a moment after it.
    wait_until(lambda: builders(own_cache) == [], 5, "the build to end with who wanted it")
    assert not list(roots.glob("plain-*"))
    said: list[str] = []
    labs = [Lab.open(lab.name, say=said.append) for lab in first]
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda lab: lab.up(nodes=1), labs))
    assert sum("building" in line for line in said) == 1
    assert [path.name for path in roots.iterdir()] == [recipe_of(PLAIN).name]
    for one in labs:
        assert ssh(one, "alpha", "hostname").text == "alpha"
        one.down()


def builders(cache: Path) -> list[str]:
    """The processes that work on a root in the cache."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if f"{cache}/pool/roots/.building" in words:
            found.append(words)
    return found
