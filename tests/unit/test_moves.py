"""Moves: who loses a replica with who gains one; the facts that the lock keeps of a node."""

from __future__ import annotations

from typing import Any

import pytest

from skerry.compile.lock import NodeFacts
from skerry.compile.node_facts import LEAST_SYSTEM, facts_to_keep
from skerry.plan.moves import Move, plan_moves
from tests.unit.test_placing import cloud, spec_of, workload

GB = 10**9


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        ({"a": 1}, {"b": 1}, [("a", "b")]),
        ({"a": 1, "b": 1}, {"b": 1, "c": 1}, [("a", "c")]),
        ({"a": 2}, {"b": 1, "c": 1}, [("a", "b"), ("a", "c")]),
        # More or fewer replicas are no moves.
        ({"a": 1}, {"a": 1, "b": 1}, []),
        ({"a": 1, "b": 1}, {"a": 1}, []),
        ({"a": 1, "b": 1}, {"c": 1}, [("a", "c")]),
    ],
)
def test_moves(before: dict[str, int], after: dict[str, int], moves: list[tuple[str, str]]) -> None:
    found = plan_moves({"w": before, "gone": {"a": 1}}, {"w": after, "new": {"a": 1}}, {})
    assert [(move.source, move.target) for move in found] == moves


def test_what_stays_behind_is_told() -> None:
    mounts = [{"name": "v", "mountPath": "/v"}, {"name": "r", "mountPath": "/r", "readOnly": True}]
    spec = spec_of(
        {"volumeMounts": mounts},
        volumes=[{"name": "v", "hostPath": {"path": "/srv/v"}},
                 {"name": "r", "hostPath": {"path": "/srv/r"}}],
    )  # fmt: skip
    known = cloud(workload("w", spec)).workloads
    assert plan_moves({"w": {"a": 1}}, {"w": {"b": 1}}, known) == [
        Move(workload="w", source="a", target="b",
             note="what it wrote to /srv/v (hostPath) stays behind")
    ]  # fmt: skip


def facts(**fields: Any) -> dict[str, Any]:
    return {"memory_total": GB, "memory_available": GB - 90 * 10**6, "cpus": 2,
            "disk_free": 30 * GB, "architecture": "x86_64", **fields}  # fmt: skip


def test_facts_of_a_node() -> None:
    assert facts_to_keep(facts(), None) == NodeFacts(
        memory=GB, system=90 * 10**6, cpus=2, disk=30 * GB, architecture="amd64"
    )
    # What pods hold is not the system's.
    assert facts_to_keep(facts(memory_pods=30 * 10**6), None).system == 60 * 10**6
    assert facts_to_keep(facts(memory_available=GB), None).system == LEAST_SYSTEM


@pytest.mark.parametrize(
    ("changed", "is_kept"),
    [
        ({}, True),
        ({"memory_available": GB // 2}, True),
        ({"memory_total": GB + 10**6}, True),
        ({"disk_free": 28 * GB}, True),
        ({"disk_free": 20 * GB}, False),
        ({"memory_total": 2 * GB}, False),
        ({"cpus": 4}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_facts_are_kept_until_something_matters(changed: dict[str, Any], *, is_kept: bool) -> None:
    old = facts_to_keep(facts(), None)
    assert (facts_to_keep(facts(**changed), old) is old) == is_kept
