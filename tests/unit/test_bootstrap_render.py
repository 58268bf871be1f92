"""How nodes, bootstrap and reset are shown."""

from __future__ import annotations

import json

from skerry.bootstrap.report import Report, ResetReport, Step
from skerry.errors import AccessRefused, HostKeyMismatch, NodeError, NodeUnreachable
from skerry.model.cloud import Node
from skerry.observe.census import NodeState, state_of
from skerry.render.nodes import (
    render_facts,
    render_nodes,
    render_nodes_json,
    render_nodes_line,
    render_report,
    render_reset,
    step_words,
)
from skerry.render.text import Palette
from tests.unit.test_bootstrap_probe import debian

FACTS = {
    "os_id": "debian",
    "os_version": "13",
    "kernel": "6.12",
    "podman_version": "5.4.2",
    "memory_total": 512 << 20,
    "memory_available": 400 << 20,
    "disk_total": 10 << 30,
    "disk_free": 8 << 30,
}
NODES = {
    "alpha": Node(ssh="skerry@203.0.113.1", vendor="ovh", zone="eu"),
    "beta": Node(ssh="skerry@203.0.113.2", labels={"disk": "ssd"}),
}
ANSWERS: dict[str, NodeState | NodeError] = {
    "alpha": NodeState(state="ready", latency=0.0421, pods=3, running=2, generation=7, facts=FACTS),
    "beta": NodeUnreachable("beta", "Connection timed out"),
}
PLAIN = Palette(is_on=False)


def step(state: str, *, seconds: float = 0.0) -> Step:
    return Step(step="packages", state=state, detail="podman", seconds=seconds)


def report(*states: str, is_check: bool = False) -> Report:
    return Report(
        node="alpha",
        target="root@alpha",
        host=debian(),
        fingerprints=("SHA256:x",),
        is_check=is_check,
        steps=tuple(map(step, states)),
        facts=None if is_check else FACTS,
        seconds=1.0,
    )


def test_nodes_as_a_table() -> None:
    shown = render_nodes(NODES, ANSWERS, PLAIN).splitlines()
    assert shown[1].split() == [
        "alpha", "ovh", "eu", "ready", "42ms", "debian", "13", "6.12", "5.4.2", "112M/512M",
        "2.0G/10G", "2/3",
    ]  # fmt: skip
    assert shown[2].split()[:4] == ["beta", "-", "-", "unreachable"]
    assert render_nodes_line(ANSWERS, seconds=0.5) == "2 nodes · 1 ready · 1 unreachable · 0.50 s"
    more = render_nodes(NODES, ANSWERS, PLAIN, columns="name,labels", has_header=False)
    assert more.splitlines()[1].split() == ["beta", "disk=ssd"]


def test_nodes_as_json() -> None:
    alpha, beta = json.loads(render_nodes_json(NODES, ANSWERS))["nodes"]
    assert (alpha["state"], alpha["pods"], alpha["running"]) == ("ready", 3, 2)
    assert alpha["labels"] == {"name": "alpha", "vendor": "ovh", "zone": "eu"}
    assert beta["state"] == "unreachable" and beta["error"]["error"] == "node-unreachable"


def test_states_of_nodes_that_do_not_answer() -> None:
    assert state_of(AccessRefused("a", "x")) == "refused"
    assert state_of(HostKeyMismatch("a", "x")) == "refused"
    assert state_of(NodeError("a", "x")) == "failed"


def test_facts_one_per_line() -> None:
    assert render_facts({"b": 1, "a": [1, 2], "c": None, "d": {"e": "\x1b[2J"}}) == (
        "a    1, 2\nb    1\nc\nd.e  \\x1b[2J"
    )


def test_a_step() -> None:
    assert step_words(step("would-change")) == "would change packages        podman"
    assert step_words(step("changed", seconds=1.26)).endswith("podman  (1.3 s)")


def test_the_end_of_node_add() -> None:
    last = render_report(report("ok", "changed"), entry="cloud.yaml is written", seconds=2.0)
    assert "Debian GNU/Linux 13 (trixie)" in last
    assert last.splitlines()[-1] == (
        "alpha: 1 step changed something · cloud.yaml is written · 2.0 s"
    )
    assert "alpha: nothing to change" in render_report(report("ok"), entry="", seconds=2.0)
    skipped = render_report(report("skipped"), entry="", seconds=2.0)
    assert "packages skipped" in skipped
    check = render_report(report("would-change", is_check=True), entry="", seconds=2.0)
    assert check == "alpha: 1 step would change something; nothing was changed · 2.0 s"


def test_the_end_of_node_reset() -> None:
    done = ResetReport(steps=(step("changed"),), left=("the log",), is_check=False, is_shut=True)
    assert render_reset("alpha", done, seconds=3.0).splitlines() == [
        "alpha: left: the log",
        "alpha: everything of Skerry's is removed, and the host no longer lets the deploy user in"
        " · 3.0 s",
    ]
