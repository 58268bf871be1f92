"""What a run of the same operator left on a node, dead or cut off, is taken over and ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skerry_node.activate import run_confirm, run_recover
from skerry_node.fault import NodeFault
from skerry_node.journal import try_move_journal, try_read_journal
from skerry_node.lock import show_lock, take_lock
from skerry_node.observe import run_observe
from skerry_node.store import Store
from tests.unit.node_machine import TOKEN, Events, Machine, lock_request
from tests.unit.node_switches import (
    NEW,
    NEW_UNITS,
    activate,
    confirm,
    make_machine,
    raise_if_not,
    start_old,
    to_new,
)

NEXT = "n" * 32


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A node whose lock a run holds that is over."""
    found = make_machine(tmp_path)
    yield found
    found.join()


def next_run(*, inherits: tuple[str, ...] = (TOKEN,)) -> dict[str, Any]:
    """The lock request of the run after it."""
    return dict(lock_request(token=NEXT), inherits=list(inherits))


def test_the_lock_of_a_dead_run_is_taken_over_at_once(machine: Machine) -> None:
    with pytest.raises(NodeFault, match="locked by eva@laptop"):
        take_lock(machine.host, next_run(inherits=()), Events())
    with pytest.raises(NodeFault, match="locked by eva@laptop"):
        take_lock(machine.host, next_run(inherits=("o" * 32,)), Events())
    taken = take_lock(machine.host, next_run(), Events())
    assert taken["recovered"] is None
    assert taken["notes"] == ["took over the lock of a run that ended early: apply"]


def test_what_is_left_is_told_to_its_heir_and_is_a_lock_to_others(machine: Machine) -> None:
    seen = run_observe({"inherits": [TOKEN]}, None, Events(), machine.host)
    assert (seen["lock"], seen["left"], seen["unfinished"]) == (None, True, None)
    seen = run_observe({"inherits": ["o" * 32]}, None, Events(), machine.host)
    assert seen["lock"] is not None
    assert not seen["left"]


def test_a_healthy_switch_of_a_dead_run_is_confirmed(machine: Machine) -> None:
    start_old(machine)
    activate(machine, to_new())
    seen = run_observe({"inherits": [TOKEN]}, None, Events(), machine.host)
    assert seen["unfinished"] == 2
    # Nobody else may end it.
    assert run_observe({}, None, Events(), machine.host)["unfinished"] is None
    recovered = run_recover({"lock": next_run()}, None, Events(), machine.host)
    assert recovered["recovered"]["state"] == "active"
    assert "works and was confirmed" in recovered["notes"][-1]
    assert Store(machine.host).current_number() == 2
    assert try_read_journal(machine.host) is None
    assert show_lock(machine.host) is None
    raise_if_not(machine, NEW, NEW_UNITS)


def test_confirmation_whose_answer_was_lost_is_said_again(machine: Machine) -> None:
    """The first one gave the lock back too: it is no other's, and all is done."""
    start_old(machine)
    activate(machine, to_new())
    args = {"token": TOKEN, "number": 2, "unlock": True}
    for _ in range(2):
        assert run_confirm(args, None, Events(), machine.host) == {"state": "active"}
        assert show_lock(machine.host) is None


def test_confirmation_that_was_killed_half_way_is_said_again(machine: Machine) -> None:
    start_old(machine)
    activate(machine, to_new())
    assert try_move_journal(machine.host, 2, "healthy", "confirmed")
    assert confirm(machine, 2) == {"state": "active"}
    raise_if_not(machine, NEW, NEW_UNITS)
