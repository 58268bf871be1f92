"""A node's entry in cloud.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.bootstrap.entry import Entry, change_entry, edit_entry, forget_entry, parse_labels
from skerry.errors import UsageError
from skerry.load.cloud import load_nodes
from skerry.model.cloud import Node

EMPTY = "name: home\n# mine\nnodes: {}\nrun: {}\n"


def known(tmp_path: Path, text: str, name: str) -> Node:
    (tmp_path / "cloud.yaml").write_text(text)
    return load_nodes(tmp_path).nodes[name]


def test_a_new_node() -> None:
    entry = Entry(target="skerry@203.0.113.9", vendor="ovh", zone="eu", labels={"disk": "ssd"})
    text = edit_entry(EMPTY, "alpha", None, entry)
    assert (
        "  alpha: {ssh: skerry@203.0.113.9, vendor: ovh, zone: eu, labels: {disk: ssd}}\n" in text
    )
    assert "# mine" in text


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    entry = Entry(target="skerry@203.0.113.9", port=2222, vendor="ovh", labels={"disk": "ssd"})
    text = edit_entry(EMPTY, "alpha", None, entry)
    assert edit_entry(text, "alpha", known(tmp_path, text, "alpha"), entry) == text


def test_what_is_not_said_stays(tmp_path: Path) -> None:
    text = "name: home\nnodes:\n  a: {ssh: root@h, vendor: ovh, labels: {x: y}}\n"
    entry = Entry(target="skerry@h", zone="eu", labels={"z": "1"})
    changed = edit_entry(text, "a", known(tmp_path, text, "a"), entry)
    node = known(tmp_path, changed, "a")
    assert (node.ssh, node.vendor, node.zone) == ("skerry@h", "ovh", "eu")
    assert node.labels == {"x": "y", "z": "1"}


def test_a_node_of_an_inventory_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("a ansible_host=203.0.113.1\n")
    text = "name: home\ninventory: hosts.ini\n"
    node = known(tmp_path, text, "a")
    assert edit_entry(text, "a", node, Entry(target="skerry@203.0.113.1")) == text


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("Alpha_1", Entry(target="skerry@h")),
        ("a", Entry(target="skerry@h", vendor="not a label")),
        ("a", Entry(target="skerry@h", labels={"b c": "d"})),
        ("a", Entry(target="skerry@-oProxyCommand=x")),
    ],
)
def test_what_cannot_be_is_refused_before_the_host_is_touched(name: str, entry: Entry) -> None:
    with pytest.raises(UsageError):
        edit_entry(EMPTY, name, None, entry)


def test_forget() -> None:
    text = edit_entry(EMPTY, "alpha", None, Entry(target="skerry@h"))
    assert "alpha" not in forget_entry(text, "alpha")


def test_labels() -> None:
    assert parse_labels(("a=b", "c=d=e", "f=")) == {"a": "b", "c": "d=e", "f": ""}
    for wrong in ("a", "=b"):
        with pytest.raises(UsageError):
            parse_labels((wrong,))


def test_change_entry_keeps_mode_and_follows_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(EMPTY)
    real.chmod(0o600)
    (tmp_path / "cloud.yaml").symlink_to(real)
    assert change_entry(tmp_path, lambda text: text + "# more\n")
    assert not change_entry(tmp_path, lambda text: text)
    assert (tmp_path / "cloud.yaml").is_symlink()
    assert real.read_text() == EMPTY + "# more\n"
    assert real.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cloud.yaml", "real.yaml"]
