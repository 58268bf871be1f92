"""A whole apply on a node in a temporary folder, through the node program's own door."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from skerry.plan.plan import NodePlan, plan_node
from skerry_node import wire
from skerry_node.__main__ import answer
from skerry_node.host import Host
from skerry_node.journal import try_read_journal
from tests.unit.node_machine import Machine, lock_request
from tests.unit.node_switches import OLD, OLD_UNITS, make_machine

CONTENTS = [
    text.encode() for text in ("a1", "a2", "b1", "g1", "n1", "old page", "new page", "one", "two")
]
Event = dict[str, Any]


@contextmanager
def on_this_machine(machine: Machine) -> Iterator[None]:
    """What the node program does by itself, it does on this machine, and without its pauses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Host.__init__, "__defaults__", (str(machine.root), machine))
        patch.setattr("skerry_node.following._PAUSE", 0.002)
        patch.setattr("skerry_node.switch._CONFIRM_PAUSE", 0.002)
        patch.setattr("skerry_node.activate._PAUSE", 0.002)
        patch.setattr("skerry_node.following._LISTENS_FOR", 0.1)
        patch.setattr("skerry_node.following._BEGINS_WITHIN", 0.5)
        yield


def ask(op: str, *blobs: bytes, **args: Any) -> Event:
    """The last event of one exchange. A bug of the node program is an error of the test."""
    streams = [{"kind": "blob", "name": wire.digest_of(one), "size": len(one)} for one in blobs]
    request = {"protocol": wire.PROTOCOL, "op": op, "args": args, "streams": streams}
    source = io.BytesIO(wire.dump(request) + b"\n" + b"".join(blobs))
    event = answer(source, lambda _: None)
    assert event.get("id") != "bug", event["detail"]
    if event["event"] == "error":
        # It says what is wrong and, where somebody can do something, what.
        assert event["message"]
        assert event["hint"] or event["detail"], event
    return event


def make_plan(tree: wire.Manifest, observed: dict[str, Any]) -> NodePlan:
    """What the operator's side makes of an observation."""
    return plan_node(tree, cast(wire.Observed, observed), {}, lambda _: None)


def apply(tree: wire.Manifest, *, confirm_within: float = 5.0) -> Event:
    """One `skerry apply`: the last event, or what the switch came to where it is no success."""
    token = lock_request()["token"]
    seen = ask("observe", manifest=tree)
    if seen["event"] == "result" and seen["result"]["unfinished"] is not None:
        mended = ask("recover", lock=lock_request())
        if mended["event"] == "error":
            return mended
        seen = ask("observe", manifest=tree)
    if seen["event"] == "error":
        return seen
    assert seen["result"]["lock"] is None, "a lock was left"
    plan = make_plan(tree, seen["result"])
    if plan.blockers:
        return {
            "event": "error",
            "id": "blocked",
            "message": plan.blockers[0],
            "hint": "",
            "detail": "",
        }
    if plan.is_empty:
        return {"event": "result", "result": {"state": "nothing to change"}}
    missing = [one for one in CONTENTS if wire.digest_of(one) in plan.missing]
    last = ask("push", *missing, lock=lock_request(), images={}, compression="none")
    if last["event"] == "error":
        return last
    record = {"who": "eva", "when": 1.0, "message": "", "changes": [], "rollback_of": None}
    last = ask(
        "activate",
        token=token,
        base=plan.base,
        number=plan.number,
        manifest=tree,
        generation=record,
        actions=plan.unit_actions(),
        undo=plan.undo_actions(),
        daemon_reload=True,
        confirm_within=confirm_within,
    )
    if last["event"] == "result" and last["result"]["state"] == "healthy":
        last = ask("confirm", token=token, number=plan.number, unlock=True)
    if last["event"] == "error" or last["result"]["state"] != "active":
        ask("unlock", token=token)
    return last


def make_old_machine(folder: Any) -> Machine:
    """A node that runs the old tree, applied by the way."""
    machine = make_machine(folder)
    with on_this_machine(machine):
        ask("unlock", force=True)
        assert apply(OLD)["result"] == {"state": "active"}
    machine.join()
    assert machine.running == OLD_UNITS
    return machine


def left_behind(machine: Machine) -> list[str]:
    """Temporary files, a lock, a journal, or contents of files that are only half there."""
    names = [str(path.relative_to(machine.root)) for path in machine.root.rglob("*")]
    found = [name for name in names if ".skerry-new" in name or name.endswith((".zip", ".tmp"))]
    found += [name for name in names if name.startswith("run/") and name.split(".")[-1].isdigit()]
    state = machine.root / "var/lib/skerry"
    found += [name for name in ("lock", "journal") if (state / name).exists()]
    for blob in (state / "blobs/sha256").iterdir():
        if blob.is_file() and wire.digest_of(blob.read_bytes())[7:] != blob.name:
            found.append(f"the blob {blob.name[:12]}")
    return found


def words_of_end(event: Event) -> str:
    """All that a person is told at the end."""
    if event["event"] == "error":
        return f"{event['id']}: {event['message']} {event['hint']} {event['detail']}"
    result = event["result"]
    return f"{result['state']}: {result.get('error', '')} {result.get('undo_failed', '')}"


def is_between(machine: Machine) -> bool:
    """Whether the node is between two trees: the next run mends it first."""
    return try_read_journal(machine.host) is not None
