"""Nodes that are left out and volumes that are given up: what the options do and ask."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from skerry.cli.cloud import OpenCloud
from skerry.cli.leaving import ask_to_abandon, leave_out
from skerry.cli.node_cordon import find_staying
from skerry.compile.lock import Lock, NodeFacts
from skerry.errors import UsageError
from tests.unit.test_placing import claim, claiming, cloud, node, workload


class Terminal(io.StringIO):
    """Standard input that is a terminal, with what is typed."""

    def isatty(self) -> bool:
        return True


def opened() -> OpenCloud:
    """A cloud of three nodes with a volume on beta."""
    data = {"data": claim("data")}
    made = cloud(workload("db", claiming("data")), workload("web", replicas=3), claims=data)
    return OpenCloud(Path(), made, Lock(claims={"data": "beta"}))


def test_nodes_are_left_out_for_one_command() -> None:
    one = opened()
    assert one.placements.of("db") == {"beta": (0,)}
    leave_out(one, ("be*",))
    assert one.cloud.absent == ("beta",)
    assert one.select_nodes(()) == ["alpha", "gamma"]
    assert one.select_nodes(("*a",)) == ["alpha", "gamma"]
    assert "beta" not in one.placements.of("web")
    with pytest.raises(UsageError, match="without all of its nodes"):
        leave_out(opened(), ("*",))
    with pytest.raises(UsageError, match="no such volume"):
        leave_out(opened(), (), ("dada",))


@pytest.mark.parametrize(("typed", "agrees"), [("data\n", True), ("y\n", False), ("\n", False)])
def test_a_volume_is_given_up_by_its_name(
    typed: str, *, agrees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = opened()
    leave_out(one, ("beta",), ("data",))
    assert one.given_up == {"data": "beta"}
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    if agrees:
        ask_to_abandon(one)
    else:
        with pytest.raises(UsageError, match="not given up"):
            ask_to_abandon(one)


def test_a_new_volume_is_not_bound_by_a_thought() -> None:
    """What is known of the nodes changes while the command thinks: nothing is there yet."""
    made = cloud(workload("db", claiming("data")), claims={"data": claim("data", "5G")})
    one = OpenCloud(Path(), made, Lock())
    (first,) = one.placements.of("db")
    assert one.lock.claims == {"data": first}
    full = msgspec.structs.replace(one.lock, nodes={first: NodeFacts(disk=10**9)})
    one.change_lock(full)
    (second,) = one.placements.of("db")
    assert second != first
    assert one.lock.claims == {"data": second}


def test_what_cannot_leave_a_drained_node_is_named() -> None:
    nodes = {name: node(memory="100M") for name in ("alpha", "beta", "gamma")}
    large = {"containers": [{"name": "c", "image": "i",
                             "resources": {"requests": {"memory": "60M"}}}]}  # fmt: skip
    made = cloud(
        workload("db", claiming("data")),
        workload("edge", None, None, ("beta",)),
        workload("large", large, 3),
        workload("web", replicas=3),
        nodes=nodes,
        claims={"data": claim("data")},
    )
    stays = find_staying(OpenCloud(Path(), made, Lock(claims={"data": "beta"})), "beta")
    assert stays == {
        "db": "its volume data is there",
        "edge": "it is placed there by name",
        "large": "no other node takes it:\n"
        "  alpha: 100 MB, system 0, planned 60; large asks 60: 20 MB short\n"
        "  beta: cordoned\n"
        "  gamma: 100 MB, system 0, planned 60; large asks 60: 20 MB short",
    }
