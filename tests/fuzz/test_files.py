"""The other files of a folder, and what comes from a host that is no node yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skerry.bootstrap.probe import choose_platform, parse_probe
from skerry.compile.cloud import compile_cloud
from skerry.compile.lock import Lock
from skerry.edge.ssh import Link, pinned_fingerprints, raise_for_ssh, ssh_command
from skerry.errors import CloudInvalid, NodeError, SkerryError
from skerry.load.cloud import load_cloud
from skerry.load.image import load_images
from skerry.load.inventory import read_inventory
from skerry.load.lockfile import read_lock
from skerry.load.secrets_file import load_secrets_file
from skerry.render.errors import render_error
from skerry.render.text import visible
from tests.fuzz import damage, hostile
from tests.fuzz.clouds import good_folders, on_disk
from tests.fuzz.counting import cases, count
from tests.fuzz.inventories import ini_texts, yaml_inventories
from tests.fuzz.trees import check_tree
from tests.golden.test_trees import CASES, lock_of

IMAGE: dict[str, Any] = {
    "base": "debian-13",
    "packages": ["nginx", "libc6"],
    "files": {"/etc/nginx.conf": "nginx.conf"},
    "run": ["echo hello"],
    "entrypoint": ["/bin/sh"],
    "cmd": ["-c", "true"],
    "env": {"A": "b c"},
    "user": "www:www",
    "workdir": "/srv",
    "ports": [80],
}
SECRETS = yaml.safe_load((CASES / "secrets/cloud/secrets.yaml").read_bytes())


def check_problems(problems: list[Any]) -> None:
    """They can be shown."""
    if problems:
        shown = render_error(CloudInvalid(problems))
        assert visible(shown) == shown
        assert len(shown.split("\n")) == len(problems) + 1


@cases("inventories", 900)
@given(ini_texts())
def test_ini_inventories(text: str) -> None:
    count("inventories")
    with on_disk({"hosts": text.encode("utf-8", "surrogatepass")}) as folder:
        problems: list[Any] = []
        nodes = read_inventory(folder / "hosts", "hosts", problems)
    check_problems(problems)
    for name, node in nodes.items():
        assert name == visible(name)
        assert not node.ssh.startswith("-")


@cases("inventories", 600)
@given(yaml_inventories())
def test_yaml_inventories(document: Any) -> None:
    count("inventories")
    with on_disk({"hosts.yaml": [document]}) as folder:
        problems: list[Any] = []
        read_inventory(folder / "hosts.yaml", "hosts.yaml", problems)
    check_problems(problems)


@cases("images", 400)
@given(damage.one_thing_wrong(IMAGE, hostile.values) | damage.hostile_text_in(IMAGE))
def test_image_files(document: Any) -> None:
    count("images")
    files: Any = {"images/web/image.yaml": [document], "images/web/nginx.conf": b"x"}
    with on_disk(files) as folder:
        try:
            found = load_images(folder)
        except CloudInvalid as error:
            check_problems(error.problems)
            return
        (image,) = found.values()
        assert image.file is not None
        inside = (folder / "images/web").resolve()
        for name in image.file.files.values():
            assert (inside / name).resolve().is_relative_to(inside)


@cases("secrets files", 400)
@given(damage.one_thing_wrong(SECRETS, hostile.values) | damage.hostile_text_in(SECRETS))
def test_secrets_files(document: Any) -> None:
    count("secrets files")
    with on_disk({"secrets.yaml": [document]}) as folder:
        problems: list[Any] = []
        load_secrets_file(folder, problems)
    check_problems(problems)


LOCK: dict[str, Any] = {
    "format": 1,
    "images": {
        "localhost/blog:1": {"id": "a" * 64, "size": 5, "architecture": "amd64", "user": "www"}
    },
    "nodes": {
        "alpha": {
            "memory": 1 << 30,
            "system": 1 << 26,
            "cpus": 2,
            "address": "198.18.1.10",
            "disk": 1 << 34,
            "architecture": "amd64",
        }
    },
    "claims": {"data": "alpha"},
    "jobs": {"job/0": "alpha"},
    "node_ports": {"web/80": 30080},
    "secret_key": "YQ==",
}


@cases("locks", 500)
@given(damage.one_thing_wrong(LOCK, hostile.values) | damage.hostile_text_in(LOCK))
def test_locks(document: Any) -> None:
    """A cloud.lock comes out of git too: what it says goes into units."""
    count("locks")
    try:
        content = json.dumps(document).encode()
    except ValueError:
        return
    with on_disk({**good_folders()["one-container"], "cloud.lock": content}) as folder:
        try:
            lock = read_lock(folder)
        except CloudInvalid as error:
            check_problems(error.problems)
            return
        cloud = load_cloud(folder)
    images = {**lock_of(cloud).images, **lock.images}
    try:
        trees = compile_cloud(cloud, msgspec.structs.replace(lock, images=images))
    except CloudInvalid as error:
        check_problems(error.problems)
        return
    for tree in trees.values():
        check_tree(tree)


PROBE = """\
skerry-probe begin
os.ID=debian
os.VERSION_ID="13"
os.PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
kernel=Linux 6.12.1
arch=x86_64
hostname=alpha
uid=0
user=root
sudo=free
init=systemd
systemd=257
cgroup=cgroup2fs
memory=2000000
disk=10000000
manager=apt-get
python=python3 3.13
podman=5.4.2
skerry-probe end
"""


@cases("first contacts", 300)
@given(st.integers(0, len(PROBE)), st.integers(0, 60), hostile.texts)
def test_what_a_host_says_at_first(where: int, gone: int, text: str) -> None:
    count("first contacts")
    said = PROBE[:where] + text + PROBE[where + gone :]
    try:
        host = parse_probe("alpha", said)
        choose_platform("alpha", host)
    except NodeError as error:
        shown = render_error(error)
        assert visible(shown) == shown


TARGETS = hostile.texts | st.tuples(hostile.texts, hostile.texts).map("@".join)


@cases("ways to hosts", 300)
@given(TARGETS, hostile.texts, hostile.texts)
def test_ways_to_hosts(tmp_path_factory: pytest.TempPathFactory, target: str, key: str,
                       words: str) -> None:  # fmt: skip
    """What is no host is refused before ssh sees it; what ssh sees is a word of its own."""
    count("ways to hosts")
    cloud = {"name": "home", "nodes": {"a": {"ssh": target, "identity-file": key}}}
    with on_disk({"cloud.yaml": [cloud], "known_hosts": words.encode(errors="replace")}) as folder:
        try:
            node = load_cloud(folder).nodes["a"]
        except CloudInvalid as error:
            check_problems(error.problems)
            return
        assert not set(target) & set(" \t\n'\"`$\\;&<>|(){}\0"), target
        assert not any(part.startswith("-") for part in target.split("@"))
        link = Link(
            node="a",
            target=node.ssh,
            known_hosts=str(folder / "known_hosts"),
            identity_file=node.identity_file,
        )
        argv = ssh_command(link, "true").argv
        assert argv[-3:] == ("--", target, "true")
        pinned_fingerprints(link)
        try:
            raise_for_ssh(link, 255, words.encode(errors="replace"))
        except SkerryError as error:
            shown = render_error(error)
            assert visible(shown) == shown


def test_a_lock_that_skerry_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "cloud.lock").write_text(json.dumps(LOCK))
    assert read_lock(tmp_path) == msgspec.convert(LOCK, Lock)
