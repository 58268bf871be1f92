"""All nodes at once; a slow or dead one delays no other."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

import skerry.edge.fan_out
from skerry.edge.fan_out import fan_out
from skerry.errors import NodeError, NodeUnreachable


def test_answers_come_in_the_order_of_the_names() -> None:
    gate = threading.Event()

    def act(name: str) -> str:
        if name == "slow":
            assert gate.wait(5)
        return name.upper()

    heard: list[str] = []

    def hear(name: str, answer: str | NodeError) -> None:
        heard.append(name)
        gate.set()

    answers = fan_out(["slow", "quick"], act, on_answer=hear)
    assert list(answers.items()) == [("slow", "SLOW"), ("quick", "QUICK")]
    assert heard == ["quick", "slow"]


def test_a_nodes_error_is_its_answer() -> None:
    def act(name: str) -> str:
        if name == "dead":
            raise NodeUnreachable(name, "no route")
        return "fine"

    answers = fan_out(["dead", "alive"], act)
    assert isinstance(answers["dead"], NodeUnreachable)
    assert answers["alive"] == "fine"


@pytest.mark.parametrize("names", [["one"], ["one", "two"]])
def test_a_bug_is_raised_after_all_have_answered(names: list[str]) -> None:
    seen: list[str] = []

    def act(name: str) -> str:
        seen.append(name)
        if name == "one":
            raise ZeroDivisionError
        return name

    with pytest.raises(ZeroDivisionError):
        fan_out(names, act)
    assert sorted(seen) == names


def test_no_nodes_no_answers() -> None:
    assert fan_out([], lambda name: name) == {}


def test_what_there_is_is_shown_when_some_are_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skerry.edge.fan_out, "LATE_AFTER", 0.05)
    gate = threading.Event()
    shown: list[tuple[list[str], list[str]]] = []

    def act(name: str) -> str:
        if name in ("late", "later"):
            assert gate.wait(60)
        return name

    def show(found: Mapping[str, str | NodeError], missing: Sequence[str]) -> None:
        shown.append((list(found), list(missing)))
        gate.set()

    answers = fan_out(["a", "late", "b", "later"], act, on_late=show)
    assert shown == [(["a", "b"], ["late", "later"])]
    assert list(answers) == ["a", "late", "b", "later"]


def test_a_minority_is_not_shown_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where most nodes are slow the line is, and two tables would only confuse."""
    monkeypatch.setattr(skerry.edge.fan_out, "LATE_AFTER", 0.01)
    gate = threading.Event()
    threading.Timer(0.2, gate.set).start()
    shown: list[object] = []

    def act(name: str) -> str:
        if name != "quick":
            assert gate.wait(60)
        return name

    fan_out(["quick", "b", "c"], act, on_late=lambda found, missing: shown.append(found))
    # The others answer together, when they do.
    assert [sorted(one) for one in shown if len(one) < 2] == []  # type: ignore[call-overload,arg-type]
