"""Locks of several nodes: all or none, and of two operators at the same moment one goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, cast

import pytest

from skerry.cli import locking
from skerry.cli.cloud import OpenCloud
from skerry.cli.locking import take_locks
from skerry.edge.leases import LEASE, Leases
from skerry.edge.ssh import Link
from skerry.edge.stop import Interrupted, Stopping, listen
from skerry.edge.turn import begin_turn, follow
from skerry.errors import NodeError, NodeLocked, NodeUnreachable
from skerry_node.lock import LEASE as NODE_LEASE

TURN = begin_turn(cloud="home", who="eva@laptop", message="")


class Nodes:
    """Who holds which node: `held` by somebody else, `ours` by us."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, held: dict[str, int]) -> None:
        # How often each is still found taken.
        self.held = dict(held)
        self.ours: set[str] = set()
        self.asked: list[str] = []
        monkeypatch.setattr(locking, "try_unlock", self.unlock)
        monkeypatch.setattr(locking, "_FIRST_PAUSE", 0.001)

    def take(self, name: str) -> int:
        self.asked.append(name)
        if self.held.get(name, 0) > 0:
            self.held[name] -= 1
            raise NodeLocked(name, "locked by ben")
        self.ours.add(name)
        return 7

    def unlock(self, link: Link, turn: object) -> NodeError | None:
        self.ours.discard(link.node)
        return None

    def run(self, *names: str, take: Callable[[str], int] | None = None) -> dict[str, Any]:
        opened = cast(OpenCloud, self)
        with Stopping() as stop:
            return take_locks(opened, TURN, Leases(TURN, self.link), stop, names, take or self.take)

    def link(self, name: str, *, timeout: float = 0.0) -> Link:
        return Link(node=name, target=name, known_hosts="")


def test_all_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {})
    assert nodes.run("beta", "alpha") == {"beta": 7, "alpha": 7}
    assert nodes.ours == {"alpha", "beta"}


def test_who_has_the_first_waits_for_the_other_to_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {"beta": 3})
    assert nodes.run("beta", "alpha", "gamma") == {"beta": 7, "alpha": 7, "gamma": 7}
    assert nodes.asked.count("alpha") == 1 and nodes.asked.count("beta") == 4


def test_who_has_not_the_first_gives_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {"alpha": 1})
    with pytest.raises(NodeLocked):
        nodes.run("alpha", "beta")
    assert nodes.ours == set() and nodes.asked.count("alpha") == 1


def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {"beta": 10_000})
    monkeypatch.setattr(locking, "_GIVES_WAY_WITHIN", 0.05)
    with pytest.raises(NodeLocked):
        nodes.run("alpha", "beta")
    assert nodes.ours == set()


def test_a_node_that_fails_keeps_no_other_back(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {})

    def take(name: str) -> int:
        if name == "alpha":
            raise NodeUnreachable("alpha", "gone")
        return nodes.take(name)

    answers = nodes.run("alpha", "beta", take=take)
    assert isinstance(answers["alpha"], NodeUnreachable) and answers["beta"] == 7
    assert nodes.ours == {"beta"}


def test_whatever_goes_wrong_all_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = Nodes(monkeypatch, {})

    def take(name: str) -> int:
        if name == "beta":
            raise ZeroDivisionError
        return nodes.take(name)

    with pytest.raises(ZeroDivisionError):
        nodes.run("alpha", "beta", take=take)
    assert nodes.ours == set()


def test_a_signal_gives_all_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    listen()
    nodes = Nodes(monkeypatch, {})

    def take(name: str) -> int:
        if name == "beta":
            os.kill(os.getpid(), signal.SIGINT)
        return nodes.take(name)

    try:
        with pytest.raises(Interrupted) as found:
            nodes.run("alpha", "beta", take=take)
    finally:
        for one in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)
        signal.signal(signal.SIGINT, before)
    assert found.value.words == "nothing was changed"
    assert nodes.ours == set()


def test_both_sides_say_how_long_a_lock_lasts() -> None:
    assert LEASE == NODE_LEASE


def test_a_change_is_later_than_those_before_whatever_the_clock_says() -> None:
    year = 365 * 86400
    ahead = TURN.when + year
    assert follow(TURN, [0.0, TURN.when - year]) == TURN
    assert follow(TURN, [ahead, 5.0]).when > ahead
    # A node that lies of the year 9999 decides nothing.
    assert follow(TURN, [253402300799.0]) == TURN
