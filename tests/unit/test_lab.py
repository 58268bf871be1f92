"""The parts of the lab that need no root: names, addresses, texts, and what is refused."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from skerry.errors import LabError
from skerry.lab import Lab
from skerry.lab.access import render_known_hosts, render_ssh_config
from skerry.lab.cgroup import started_at
from skerry.lab.host import PACKAGES, require_lab_host
from skerry.lab.places import Places, held
from skerry.lab.record import (
    LabRecord,
    NodeRecord,
    name_of,
    order_node,
    read_record,
    touch_node,
    write_record,
)
from skerry.lab.root import PLAIN, WARM, mirror_hosts, recipe_of


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Places.of("mine")


def nodes(count: int) -> list[NodeRecord]:
    return [order_node(number, image="plain", access="key") for number in range(count)]


def test_vendors_take_turns_and_addresses_differ() -> None:
    ordered = nodes(10)
    assert [node.name for node in ordered[:4]] == ["alpha", "beta", "gamma", "delta"]
    assert [node.vendor for node in ordered[:4]] == ["north", "east", "west", "north"]
    assert [node.address for node in ordered[:4]] == [
        "198.18.1.10", "198.18.2.11", "198.18.3.12", "198.18.1.13",
    ]  # fmt: skip
    assert name_of(8) == "node9"
    assert len({node.address for node in nodes(200)}) == 200


def test_bridge_port_names_fit_the_kernel() -> None:
    assert all(len(f"vb-{name_of(number)}") <= 15 for number in range(200))


@pytest.mark.parametrize("name", ["", "A", "a/b", "-a", "a-", "..", "a b", "x" * 33, "a\n"])
def test_names_that_cannot_be_a_lab(name: str) -> None:
    with pytest.raises(LabError, match="cannot be a lab's name"):
        Places.of(name)


def test_labs_of_two_state_folders_are_two(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert Places.of("mine").key != places.key
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert Places.of("mine").key == places.key


def test_ssh_config_knows_names_and_addresses(places: Places) -> None:
    text = render_ssh_config(places, nodes(2))
    assert "Host alpha 198.18.1.10\n    HostName 198.18.1.10\n" in text
    assert "Host beta 198.18.2.11\n" in text
    assert f"ProxyCommand nsenter --net=/run/netns/skerry-{places.key} " in text
    # At the head of the client's own list: a node that cannot is still reached.
    assert text.count("    KexAlgorithms ^curve25519-sha256\n") == 2
    for callers in ("StrictHostKeyChecking", "ControlMaster", "ControlPath", "IdentitiesOnly"):
        assert callers not in text


def test_known_hosts_lines_have_name_address_and_key(places: Places) -> None:
    line = render_known_hosts([(nodes(1)[0], "ssh-ed25519 AAAA root@alpha\n")])
    assert line == "alpha,198.18.1.10 ssh-ed25519 AAAA\n"


def test_record_survives_and_is_private(places: Places) -> None:
    assert read_record(places) is None
    record = LabRecord("mine", places.key, 1.0, "pass", "$6$x", {"alpha": nodes(1)[0]})
    places.state.mkdir(parents=True)
    write_record(places, record)
    assert read_record(places) == record
    assert places.record.stat().st_mode & 0o777 == 0o600
    touched = touch_node(places, "alpha")
    assert touched is not None
    assert touched.since > record.nodes["alpha"].since
    assert touch_node(places, "beta") is None


def test_touching_a_removed_lab_leaves_nothing(places: Places) -> None:
    assert touch_node(places, "alpha") is None
    assert not places.state.exists()


def test_another_recipe_is_another_root() -> None:
    plain, warm = recipe_of(PLAIN), recipe_of(WARM)
    assert plain.name == recipe_of(PLAIN).name
    assert plain.name.startswith("plain-")
    assert set(plain.packages) < set(warm.packages)
    assert "podman" not in plain.packages
    assert "sudo" not in plain.packages
    changed = msgspec.structs.replace(plain, packages=(*plain.packages, "vim"))
    assert changed.name != plain.name


def test_mirror_hosts_are_those_of_the_roots_sources(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://one.example:80/debian trixie main\n")
    (folder / "more.sources").write_text("URIs: https://two.example/x http://one.example/y\n")
    assert mirror_hosts(tmp_path) == ["one.example", "two.example"]


def test_missing_packages_are_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in PACKAGES:
        if name not in ("socat", "mmdebstrap"):
            (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="2 packages more") as caught:
        require_lab_host()
    assert caught.value.hint == "apt-get install --no-install-recommends mmdebstrap socat"


def test_not_root_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="you are not root"):
        Lab.open("mine")


def test_lock_that_its_holder_removed_is_taken_anew(tmp_path: Path) -> None:
    lock = tmp_path / "locks/one"
    with held(lock):
        lock.unlink()
        with held(lock):
            assert lock.exists()


def test_the_start_of_a_process_is_known_better_than_to_a_second() -> None:
    tick = 1 / os.sysconf("SC_CLK_TCK")
    for _ in range(3):
        before = time.time()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
            after = time.time()
            assert before - 2 * tick <= started_at(child.pid) <= after + tick
