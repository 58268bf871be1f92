"""`skerry node ls`, `facts` and `rm`, on the session's nodes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from tests.live.cloud_for_tests import LiveCloud

from skerry.lab import Lab


@pytest.fixture
def copied(live_cloud: LiveCloud, tmp_path: Path) -> Iterator[LiveCloud]:
    """The session's cloud in a folder of its own, to take nodes out of."""
    for name in ("cloud.yaml", "known_hosts"):
        shutil.copy(live_cloud.folder / name, tmp_path / name)
    yield LiveCloud(tmp_path, live_cloud.lab)


def test_ls_shows_every_node(cloud: LiveCloud) -> None:
    listed = cloud.skerry("node", "ls")
    header, *rows, last = listed.text.splitlines()
    assert header.split() == [
        "NAME", "VENDOR", "ZONE", "STATE", "LATENCY", "OS", "KERNEL", "PODMAN", "RAM", "DISK",
        "PODS",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == ["alpha", "beta", "gamma"]
    assert all("debian 13" in row and "ms" in row and " 5." in row for row in rows)
    # Which of them were applied to before is a matter of the tests before this one.
    assert last.startswith("3 nodes · ") and "unreachable" not in last


def test_ls_takes_columns_and_nodes(cloud: LiveCloud) -> None:
    words = ("node", "ls", "-H", "-o", "name,ssh,arch,cpus")
    listed = cloud.skerry(*words, "-n", "al*,gamma").text.splitlines()
    assert [row.split()[:2] for row in listed[:-1]] == [
        [name, f"skerry@{cloud.addresses[name]}"] for name in ("alpha", "gamma")
    ]
    wrong = cloud.skerry("node", "ls", "-o", "colour", expect=2)
    assert "there is no column 'colour'" in wrong.error_text
    assert "no node 'delta'" in cloud.skerry("node", "ls", "-n", "delta", expect=2).error_text


def test_a_dead_node_is_unreachable_and_delays_nobody(cloud: LiveCloud, restored_lab: Lab) -> None:
    restored_lab.node("beta").cut()
    begun = monotonic()
    listed = cloud.json("node", "ls", "--timeout", "2", expect=3)
    seconds = monotonic() - begun
    states = {node["name"]: node["state"] for node in listed["nodes"]}
    assert states["beta"] == "unreachable"
    assert {states["alpha"], states["gamma"]} <= {"new", "ready"}
    (beta,) = [node for node in listed["nodes"] if node["name"] == "beta"]
    assert beta["error"]["error"] == "node-unreachable"
    # The whole command, its start included, on a machine that does other things too.
    assert seconds < 12
    shown = cloud.skerry("node", "ls", "--timeout", "2", expect=3)
    assert "1 unreachable" in shown.text


def test_facts(cloud: LiveCloud) -> None:
    facts = cloud.json("node", "facts", "alpha")
    assert facts["os_id"] == "debian" and facts["memory_total"] > 0
    assert facts["address"] == cloud.addresses[facts["hostname"]]
    text = cloud.skerry("node", "facts", "alpha").text
    assert {line.split()[0] for line in text.splitlines()} == set(facts)


def test_rm_takes_a_node_out_of_the_folder_and_changes_nothing_on_it(copied: LiveCloud) -> None:
    record = "cat /var/lib/skerry/bootstrap.json; id skerry"
    before = copied.shell("beta", record).text
    done = copied.skerry("node", "rm", "beta")
    assert "nothing was changed on it" in done.text
    assert "\n  beta:" not in (copied.folder / "cloud.yaml").read_text()
    assert "beta" not in (copied.folder / "known_hosts").read_text()
    assert copied.shell("beta", record).text == before
    names = [node["name"] for node in copied.json("node", "ls")["nodes"]]
    assert names == ["alpha", "gamma"]


def test_rm_of_a_node_that_is_gone_wants_to_be_told_so(
    copied: LiveCloud, restored_lab: Lab
) -> None:
    restored_lab.node("gamma").cut()
    words = ("node", "rm", "gamma", "--timeout", "2")
    copied.skerry(*words, expect=3)
    assert "\n  gamma:" in (copied.folder / "cloud.yaml").read_text()
    done = json.loads(copied.skerry("--json", *words, "--forget").stdout)
    assert done == {"removed": "gamma", "problems": []}


def test_rm_says_where_the_folder_still_means_the_node(copied: LiveCloud) -> None:
    (copied.folder / "pods").mkdir()
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
    (copied.folder / "pods/p.yaml").write_text(f"{pod}    - {{name: c, image: i}}\n")
    text = (copied.folder / "cloud.yaml").read_text()
    text = text[: text.index("\nrun:")] + "\nrun:\n  p: {pod: pods/p.yaml, nodes: [beta]}\n"
    (copied.folder / "cloud.yaml").write_text(text)
    done = copied.skerry("node", "rm", "beta", "--forget")
    assert "cloud.yaml:" in done.error_text and "beta" in done.error_text


def test_add_refuses_what_cannot_be_before_it_touches_a_host(copied: LiveCloud) -> None:
    folder = (copied.folder / "cloud.yaml").read_text()
    for words, told in (
        (("Delta", "root@h"), "name"),
        (("delta",), "where is it?"),
        (("alpha", "root@203.0.113.7"), "alpha is at"),
        (("delta", "root@h", "--label", "x"), "not KEY=VALUE"),
        (("delta", "root@h", "--host-key", "aa:bb"), "not a fingerprint"),
        (("delta", "root@h", "--public-key", "/none"), "cannot be read"),
        (("delta", "root@h", "--ask-password"), "no password came"),
    ):
        refused = copied.skerry("node", "add", *words, expect=2)
        assert told in refused.error_text, refused.error_text
    assert (copied.folder / "cloud.yaml").read_text() == folder
