"""Which generation a rollback without a number means."""

from __future__ import annotations

from skerry.cli.rolling_back import choose_previous
from skerry_node import wire


def generation(number: int, state: str, when: float) -> wire.Generation:
    return {
        "number": number,
        "who": "me@here",
        "when": when,
        "message": "",
        "changes": [],
        "state": state,
        "rollback_of": None,
    }


def test_nodes_of_the_latest_change_go_back_and_others_stay() -> None:
    histories = {
        "alpha": [generation(3, "active", 30.0), generation(2, "previous", 20.0)],
        "beta": [generation(2, "active", 20.0), generation(1, "previous", 10.0)],
        "gamma": [generation(1, "active", 30.0)],
    }
    assert choose_previous(histories) == {"alpha": 2}


def test_failed_generations_are_not_gone_back_to() -> None:
    history = [
        generation(4, "active", 40.0),
        generation(3, "failed", 30.0),
        generation(2, "unconfirmed", 20.0),
        generation(1, "previous", 10.0),
    ]
    assert choose_previous({"alpha": history}) == {"alpha": 1}


def test_nothing_to_go_back_to() -> None:
    assert choose_previous({}) == {}
    assert choose_previous({"alpha": [generation(1, "failed", 1.0)]}) == {}
