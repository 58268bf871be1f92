"""All nodes at once; a slow or dead one delays no other."""

from __future__ import annotations

import threading

import pytest

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
