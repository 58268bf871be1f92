"""Switching one node: activate, survive a lost connection, confirm."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from skerry.edge.early import Begun
from skerry.edge.exchange import OnEvent, begin_exchange, exchange
from skerry.edge.ssh import Link, close_connection
from skerry.edge.turn import Turn
from skerry.errors import ActivationFailed, NodeError, NodeUnreachable
from skerry_node import wire

# How long a healthy but unconfirmed generation waits before the node goes back, in seconds.
CONFIRM_WITHIN = 30.0
# A node may be silent for as long as a unit takes to become healthy, and to go back after.
SILENCE = 180.0


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """What a node is switched to.

    `base` is the generation the plan was made against and `number` the new one's. `actions` and
    `undo` are for the units, in order; `changes` are lines for the history; `rollback_of` is
    the number of the old generation that is brought back, if any.
    """

    base: int
    number: int
    manifest: wire.Manifest
    actions: list[wire.UnitAction]
    undo: list[wire.UnitAction]
    daemon_reload: bool
    changes: list[str]
    rollback_of: int | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How long a node took, per phase, in seconds; and what the node program noted."""

    seconds: dict[str, float]
    notes: tuple[str, ...] = ()


def activate_node(
    link: Link,
    turn: Turn,
    switch: Switch,
    *,
    gives_lock_back: bool = True,
    on_event: OnEvent | None = None,
    begun: Begun | None = None,
) -> Outcome:
    """Switches the node, waits until it is healthy, confirms, and gives the lock back if told to.

    A connection that is lost meanwhile is made again and the switch rejoined. What is next is
    `begun` ahead: while units start, the node program that is to confirm does too. Raises
    `ActivationFailed` when the node went back to its old generation, with the end of each failed
    unit's log; `NodeUnreachable` when the node could not be reached again in time, which means
    that it goes back by itself.
    """
    seconds: dict[str, float] = {}
    asked = time.monotonic()

    def note(event: dict[str, Any]) -> None:
        if event["event"] == "phase":
            if not seconds:
                # From the question to the switch's own first word, but for what that tells of.
                seconds["begin"] = max(0.0, time.monotonic() - asked - event["seconds"])
            # A switch in stages has some phases more than once.
            name = event["name"]
            seconds[name] = seconds.get(name, 0.0) + event["seconds"]
            if name == "units" and begun is not None:
                begin_exchange(link, begun)
        if on_event is not None:
            on_event(event)

    args = {
        "token": turn.token,
        "base": switch.base,
        "number": switch.number,
        "manifest": switch.manifest,
        "generation": {
            "number": switch.number,
            "who": turn.who,
            "when": turn.when,
            "message": turn.message,
            "changes": switch.changes,
            "rollback_of": switch.rollback_of,
        },
        "actions": switch.actions,
        "undo": switch.undo,
        "daemon_reload": switch.daemon_reload,
        "confirm_within": CONFIRM_WITHIN,
    }
    try:
        result = exchange(
            link,
            "activate",
            args,
            deadline=SILENCE,
            within=_longest(switch),
            on_event=note,
            begun=begun,
        )
    except NodeUnreachable as error:
        # It tells all from the beginning.
        seconds.clear()
        words = f"the connection was lost ({error.message}); the switch is looked for over another"
        note({"event": "note", "message": words})
        result = _rejoin(link, turn, switch, error, note)
    if result["state"] != "healthy":
        raise _failure(link, switch, result)
    started = time.monotonic()
    _confirm(link, turn, switch, gives_lock_back=gives_lock_back, begun=begun)
    seconds["confirm"] = time.monotonic() - started
    return Outcome(seconds=seconds, notes=tuple(result["notes"]))


def _rejoin(
    link: Link, turn: Turn, switch: Switch, lost: NodeUnreachable, on_event: OnEvent
) -> dict[str, Any]:
    """Finds the switch again over a new connection, for as long as it may still be running."""
    until = time.monotonic() + CONFIRM_WITHIN
    pause = 0.2
    while True:
        close_connection(link)
        try:
            args = {"token": turn.token, "number": switch.number}
            return exchange(
                link, "rejoin", args, deadline=SILENCE, within=_longest(switch), on_event=on_event
            )
        except NodeUnreachable:
            if time.monotonic() + pause > until:
                break
            time.sleep(pause)
            pause = min(pause * 2, 3.0)
    raise NodeUnreachable(
        link.node,
        f"the connection was lost while generation {switch.number} was being activated "
        f"({lost.message})",
        hint=f"unconfirmed, the node goes back to generation {switch.base} within "
        f"{CONFIRM_WITHIN:g} s; `skerry apply` again once it answers",
    )


def _longest(switch: Switch) -> float:
    """How long the switch may take by what the folder itself allows its units, in seconds.

    All one after the other, and back again; what goes is not in the manifest.
    """
    units = switch.manifest["units"]
    each = (
        (entry["deadline"] + entry["settle"] + entry["grace"])
        if (entry := units.get(action["unit"])) is not None
        else SILENCE
        for action in (*switch.actions, *switch.undo)
    )
    return CONFIRM_WITHIN + 2 * SILENCE + sum(each)


def _confirm(
    link: Link, turn: Turn, switch: Switch, *, gives_lock_back: bool, begun: Begun | None
) -> None:
    args = {"token": turn.token, "number": switch.number, "unlock": gives_lock_back}
    try:
        exchange(link, "confirm", args, begun=begun)
    except NodeUnreachable:
        # The second try goes over a connection of its own.
        close_connection(link)
        try:
            exchange(link, "confirm", args)
        except NodeUnreachable as error:
            raise NodeUnreachable(
                link.node,
                f"the connection was lost while generation {switch.number}, which works, was being "
                f"confirmed ({error.message})",
                hint=f"if the node has not heard of it, it goes back to generation {switch.base} "
                f"within {CONFIRM_WITHIN:g} s; `skerry apply` again once it answers",
            ) from None


def _failure(link: Link, switch: Switch, result: dict[str, Any]) -> NodeError:
    failed = result["failed"]
    lines: list[str] = []
    for unit in failed:
        lines.append(f"{unit['unit']}: {unit['reason']}")
        lines += [f"    {line}" for line in unit["log"]]
    names = ", ".join(unit["unit"] for unit in failed) or "the switch"
    back = f"back on generation {switch.base}" if switch.base else "as it was before"
    state = result["state"]
    message, hint = f"{names} did not become healthy; the node is {back}", ""
    if state == "unconfirmed" or result["error"]:
        hint = "nothing is lost: `skerry apply` again"
    if state == "unconfirmed":
        message = f"generation {switch.number} was not confirmed in time; the node is {back}"
    elif result["error"]:
        message = f"{result['error']}; the node is {back}"
    if result["undo_failed"]:
        message += f", but not all of it: {result['undo_failed']}"
    return ActivationFailed(link.node, message, hint=hint, detail="\n".join(lines))
