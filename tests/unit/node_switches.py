"""A switch between two trees on a node in a temporary folder, for the tests of switching."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skerry_node import wire
from skerry_node.activate import run_activate, run_confirm
from skerry_node.lock import take_lock
from tests.unit.node_machine import (
    TOKEN,
    Events,
    Machine,
    actions,
    activation,
    lock_request,
    tree,
)

OLD_UNITS = {"a.service": "a1", "b.service": "b1", "gone.service": "g1"}
NEW_UNITS = {"a.service": "a2", "b.service": "b1", "new.service": "n1"}
OLD = tree(OLD_UNITS, {"/srv/old/deep/page": "old page", "/srv/both": "one"})
NEW = tree(NEW_UNITS, {"/srv/new/deep/page": "new page", "/srv/both": "two"})
ACT = [
    *actions("stop", "gone.service"),
    *actions("restart", "a.service"),
    *actions("start", "new.service"),
]
UNDO = [
    *actions("stop", "new.service"),
    *actions("restart", "a.service"),
    *actions("start", "gone.service"),
]


def make_machine(folder: Path) -> Machine:
    """The node of the fixture, in this folder."""
    (folder / "var/lib").mkdir(parents=True)
    (folder / "srv").mkdir()
    found = Machine(folder)
    contents = {"a1", "a2", "b1", "g1", "n1", "fails", "old page", "new page", "one", "two"}
    found.store_contents(*(text.encode() for text in contents))
    take_lock(found.host, lock_request(), Events())
    return found


def activate(
    machine: Machine, args: dict[str, Any], events: Events | None = None
) -> dict[str, Any]:
    """Runs the op."""
    return run_activate(args, None, events if events is not None else Events(), machine.host)


def confirm(machine: Machine, number: int) -> dict[str, Any]:
    """Runs the op."""
    args = {"token": TOKEN, "number": number, "unlock": False}
    return run_confirm(args, None, Events(), machine.host)


def start_old(machine: Machine) -> None:
    """Generation 1, the old tree, is active."""
    args = activation(OLD, act=actions("start", *OLD_UNITS))
    found = activate(machine, args)
    assert found["state"] == "healthy", found
    assert confirm(machine, 1) == {"state": "active"}
    machine.join()
    machine.log.clear()


def to_new(**different: Any) -> dict[str, Any]:
    """The arguments that lead from the old tree to the new one."""
    return {**activation(NEW, 1, 2, act=ACT, undo=UNDO), **different}


def raise_if_not(machine: Machine, expected: wire.Manifest, units: dict[str, str]) -> None:
    """Fails unless the node has just these files, and just these units run."""
    assert machine.texts().keys() == expected["files"].keys()
    for path, entry in expected["files"].items():
        assert wire.digest_of(machine.texts()[path].encode()) == entry["digest"], path
    assert machine.running == units
    assert not [path for path in machine.texts() if path.endswith(".skerry-new")]
