"""Locks are renewed while they are held, and a push that takes long holds those of all others."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from skerry.cli.locking import holding
from skerry.edge.fan_out import fan_out
from skerry.edge.leases import Leases
from skerry.edge.ssh import Link
from skerry.edge.turn import begin_turn
from skerry.errors import NodeUnreachable

TURN = begin_turn(cloud="home", who="eva@laptop", message="")


class Renewals:
    """Stands for the nodes: counts what is asked of each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: dict[str, int] = {}
        self.changed = threading.Condition()
        monkeypatch.setattr("skerry.edge.leases.exchange", self.exchange)

    def exchange(self, link: Link, op: str, args: dict[str, Any], *, deadline: float) -> Any:
        assert (op, args) == ("renew", {"token": TURN.token})
        with self.changed:
            self.counts[link.node] = self.counts.get(link.node, 0) + 1
            self.changed.notify_all()
        if link.node == "dead":
            raise NodeUnreachable(link.node, "no answer")
        return {}

    def wait_for(self, **counts: int) -> None:
        """Until each of these nodes was asked so often."""
        with self.changed:
            assert self.changed.wait_for(
                lambda: all(self.counts.get(node, 0) >= count for node, count in counts.items()),
                timeout=30,
            )


def link_of(node: str) -> Link:
    return Link(node=node, target=f"root@{node}", known_hosts="/dev/null")


def test_what_is_held_is_renewed_until_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Renewals(monkeypatch)
    with Leases(TURN, link_of, every=0.01) as leases:
        for node in ("alpha", "beta", "dead"):
            leases.hold(node)
        # One that does not answer keeps no other one from it.
        nodes.wait_for(alpha=2, beta=2, dead=2)
        leases.let_go("beta")
        assert leases.held == ["alpha", "dead"]
        seen = nodes.counts["beta"]
        nodes.wait_for(alpha=nodes.counts["alpha"] + 3)
        # One may have been on its way.
        assert nodes.counts["beta"] <= seen + 1


def test_node_that_was_sent_all_is_held_while_another_is_being_sent_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nodes, seen = Renewals(monkeypatch), threading.Event()

    def push(node: str) -> int:
        if node == "slow":
            assert seen.wait(30)
        if node == "dead":
            raise NodeUnreachable(node, "no answer")
        return 0

    with Leases(TURN, link_of, every=0.01) as leases:

        def watch() -> None:
            nodes.wait_for(fast=2)
            seen.set()

        threading.Thread(target=watch, daemon=True).start()
        fan_out(("fast", "slow", "dead"), push, on_answer=holding(leases))
        assert leases.held == ["fast", "slow"]
