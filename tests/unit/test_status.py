"""Replicas in words: states, worst of a pod, absent and extra, unreachable nodes."""

from __future__ import annotations

import json

import pytest

from skerry.errors import NodeUnreachable, UsageError
from skerry.observe.filters import select_workloads
from skerry.observe.status import ReplicaStatus, state_of_unit, status_of_nodes, worst_state
from skerry.render.status import render_status, render_status_json, render_status_line
from skerry.render.table import Cell, Column, Row, choose_columns, render_table
from skerry.render.text import Palette
from skerry.render.units import format_age, format_memory
from tests.unit.wire_examples import manifest, observed, unit_entry, unit_state

PLAIN = Palette(is_on=False)
WEB = "skerry-blog.0.service"


@pytest.mark.parametrize(
    ("entry", "state", "word"),
    [
        ({}, {}, "running"),
        ({}, {"active": "reloading"}, "running"),
        ({}, {"ready": False}, "not-ready"),
        ({}, {"active": "inactive", "queued": True, "ready": False}, "starting"),
        ({"completes": True}, {"active": "inactive", "completed": True}, "completed"),
        ({}, {"load": "not-found", "active": "inactive"}, "missing"),
        ({}, None, "missing"),
        ({}, {"active": "activating", "sub": "start"}, "starting"),
        ({}, {"active": "activating", "sub": "auto-restart"}, "restarting"),
        ({}, {"active": "activating", "sub": "auto-restart-queued"}, "restarting"),
        ({}, {"active": "deactivating", "sub": "stop-sigterm"}, "stopping"),
        ({}, {"active": "failed", "result": "exit-code"}, "failed"),
        ({}, {"active": "inactive", "sub": "dead"}, "stopped"),
        ({"completes": True}, {"active": "inactive", "ended": 5.0}, "completed"),
        ({"completes": True}, {"active": "inactive", "ended": 0.0}, "stopped"),
        ({"completes": True}, {"active": "inactive", "ended": 5.0, "exit_status": 2}, "stopped"),
        ({"completes": True}, {"active": "active", "sub": "exited"}, "completed"),
        ({"completes": False}, {"active": "inactive", "ended": 5.0}, "stopped"),
    ],
)
def test_the_state_of_a_unit_in_a_word(
    entry: dict[str, object], state: dict[str, object] | None, word: str
) -> None:
    seen = None if state is None else unit_state(**state)
    assert state_of_unit(unit_entry(**entry), seen) == word


def test_a_running_replica() -> None:
    entry = unit_entry(image="localhost/blog", ports=["8080->80/tcp"], memory_limit=64 << 20)
    blog = manifest(units={WEB: entry})
    answer = observed(
        manifest=blog,
        generation=3,
        facts={"time": 4605.0},
        units={WEB: unit_state(since=1000.0, memory=12 << 20, restarts=2)},
    )
    rows = status_of_nodes({"alpha": blog}, {"alpha": answer})
    assert render_status(rows, PLAIN) == (
        "WORKLOAD  NODE   STATE    RESTARTS   MEMORY  AGE  IMAGE           PORTS\n"
        "blog      alpha  running         2  12M/64M   1h  localhost/blog  8080->80/tcp"
    )


def test_absent_extra_and_unreachable() -> None:
    blog = manifest(units={WEB: unit_entry()})
    old = manifest(units={"skerry-old.0.service": unit_entry(workload="old")})
    seen = observed(manifest=old, generation=1, units={"skerry-old.0.service": unit_state()})
    rows = status_of_nodes(
        {"alpha": blog, "beta": blog, "gamma": manifest()},
        {
            "alpha": seen,
            "beta": NodeUnreachable("beta", "no route"),
            "gamma": NodeUnreachable("gamma", "no route"),
        },
    )
    assert [(row.workload, row.node, row.state) for row in rows] == [
        ("", "gamma", "unreachable"),
        ("blog", "alpha", "absent"),
        ("blog", "beta", "unreachable"),
        ("old", "alpha", "extra"),
    ]
    assert rows[3].runs == "running"
    assert "extra,running" in render_status(rows, PLAIN)
    gone = {"beta": NodeUnreachable("beta", "no route")}
    assert render_status_line(rows, gone, nodes=3, seconds=0.2) == (
        "3 replicas on 3 nodes · 1 absent · 1 extra · 1 unreachable · "
        "1 node unreachable (beta) · 0.20 s"
    )


def test_without_a_valid_folder_the_nodes_own_record_counts() -> None:
    old = manifest(units={WEB: unit_entry()})
    seen = observed(manifest=old, units={WEB: unit_state()})
    assert [row.state for row in status_of_nodes(None, {"alpha": seen})] == ["running"]


def _pod() -> dict[str, object]:
    return {
        "skerry-q.0-pod.service": unit_entry(
            workload="q", container="", image="", image_id="", ports=["4730->4730/tcp"]
        ),
        "skerry-q.0.work.service": unit_entry(
            workload="q", container="work", memory_limit=10 << 20
        ),
        "skerry-q.0.serve.service": unit_entry(
            workload="q", container="serve", memory_limit=20 << 20
        ),
    }


def test_a_pod_is_as_well_as_its_worst_container() -> None:
    pod = manifest(units=_pod())
    seen = observed(
        manifest=pod,
        facts={"time": 2000.0},
        units={
            "skerry-q.0-pod.service": unit_state(memory=1 << 20, since=1000.0),
            "skerry-q.0.work.service": unit_state(
                active="activating", sub="auto-restart", restarts=7, since=0.0
            ),
            "skerry-q.0.serve.service": unit_state(memory=2 << 20, since=1001.0),
        },
    )
    (row,) = status_of_nodes({"alpha": pod}, {"alpha": seen})
    assert (row.state, row.restarts, row.age) == ("restarting", 7, 1000.0)
    assert (row.memory, row.memory_limit) == (3 << 20, 30 << 20)
    assert row.ports == ("4730->4730/tcp",)
    apart = status_of_nodes({"alpha": pod}, {"alpha": seen}, by_container=True)
    assert [(one.container, one.state) for one in apart] == [
        ("serve", "running"),
        ("work", "restarting"),
    ]


def test_no_total_limit_where_one_container_has_none() -> None:
    units = _pod()
    units["skerry-q.0.serve.service"] = unit_entry(workload="q", container="serve")
    (row,) = status_of_nodes(None, {"alpha": observed(manifest=manifest(units=units))})
    assert row.memory_limit is None


def test_worst_state() -> None:
    assert worst_state(["running", "failed", "starting"]) == "failed"


def test_json_has_no_row_without_a_workload() -> None:
    rows = [ReplicaStatus(workload="", node="beta", replica=None, state="unreachable")]
    gone = {"beta": NodeUnreachable("beta", "no route")}
    shown = json.loads(render_status_json(rows, gone, []))
    assert shown == {
        "format": 1,
        "replicas": [],
        "unreachable": {"beta": "no route"},
        "notes": [],
    }


def test_workloads_are_chosen_by_name_or_wildcard() -> None:
    assert select_workloads((), ["a", "b"]) == {"a", "b"}
    assert select_workloads(("b*",), ["blog", "bus", "a"]) == {"blog", "bus"}
    with pytest.raises(UsageError, match="no workload 'blgo'") as caught:
        select_workloads(("blgo",), ["blog", "bus"])
    assert caught.value.hint == "did you mean 'blog'?"


def test_columns() -> None:
    columns = (Column("a"), Column("b"), Column("c", is_default=False))
    assert [one.name for one in choose_columns(columns, None)] == ["a", "b"]
    assert [one.name for one in choose_columns(columns, "+c")] == ["a", "b", "c"]
    assert [one.name for one in choose_columns(columns, "c,A")] == ["c", "a"]
    assert [one.name for one in choose_columns(columns, "all")] == ["a", "b", "c"]
    with pytest.raises(UsageError, match="no column 'd'"):
        choose_columns(columns, "d")


def test_a_table_shows_no_control_characters_and_no_empty_cell() -> None:
    columns = (Column("a"), Column("n", is_number=True))
    rows: list[Row] = [{"a": "x\x1b[2J", "n": "1"}, {"a": "", "n": Cell("200", ("red",))}]
    assert render_table(columns, rows, PLAIN, has_header=False) == "x\\x1b[2J    1\n-         200"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (11100, "3h5m"),
     (2 * 86400 + 7200, "2d2h"), (30 * 86400, "30d")],
)  # fmt: skip
def test_ages(seconds: float, text: str) -> None:
    assert format_age(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0K"), (900 << 10, "900K"), (12 << 20, "12M"), (1536 << 20, "1.5G"), (20 << 30, "20G")],
)
def test_memory(count: int, text: str) -> None:
    assert format_memory(count) == text
