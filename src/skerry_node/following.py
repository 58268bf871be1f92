"""Following a switch: its events as they come, and what it came to."""

from __future__ import annotations

import time

from skerry_node.journal import HEALTHY, is_switch_running, try_read_journal
from skerry_node.lock import try_renew
from skerry_node.quick_json import loads
from skerry_node.recover import recover
from skerry_node.store import ACTIVE, FAILED, PENDING, PREVIOUS, Store
from skerry_node.switch import events_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from skerry_node.host import Emit, Host

_PAUSE = 0.02
# How long the transient unit may take to begin before it counts as gone, in seconds.
_BEGINS_WITHIN = 15.0
_RENEW_PAUSE = 20.0
# A switch that is healthy says so at once; after so long it is asked, in seconds.
_LISTENS_FOR = 3.0


def follow_switch(host: Host, number: int, token: str, emit: Emit) -> Dict[str, Any]:
    """Passes the switch's events on until it is healthy or over; its result.

    Where the switch was ended from outside (killed, or by a reboot), the node is mended here.
    """
    path, offset, has_died = events_path(host, number), 0, False
    heard = renewed = time.monotonic()
    while True:
        events, offset = _read_events(path, offset)
        for event in events:
            heard = time.monotonic()
            if event["event"] == "healthy" and not _is_over(host, number):
                return _result("healthy")
            if event["event"] == "end":
                return _result_of(event)
            if event["event"] != "healthy":
                emit(event)
        if time.monotonic() - renewed > _RENEW_PAUSE:
            renewed = time.monotonic()
            try_renew(host, token)
        if has_died:
            return _mend(host, number, emit)
        if time.monotonic() - heard > _LISTENS_FOR and not _is_over(host, number):
            # The disk may be too full for its words.
            return _result("healthy")
        has_died = not events and _has_died(host, number, time.monotonic() - heard, offset)
        # Its last words may have come between the two looks: they are read first.
        if not has_died:
            time.sleep(_PAUSE)


def _has_died(host: Host, number: int, silent: float, offset: int) -> bool:
    """Whether no switch is running that could still say something."""
    # In this order: a switch that begins between the two looks has no journal at the first.
    has_begun = offset > 0 or try_read_journal(host) is not None
    if is_switch_running(host):
        return False
    # systemd was told to start it, not waited for.
    if not has_begun:
        recorded = Store(host).record(number).get("state")
        return recorded != PENDING or silent > _BEGINS_WITHIN
    return True


def _mend(host: Host, number: int, emit: Emit) -> Dict[str, Any]:
    """The result of a switch that ended without a word."""
    recovered = recover(host, emit)
    store = Store(host)
    if store.current_number() == number:
        return _result("healthy")
    state = str(store.record(number).get("state", FAILED))
    if state in (PENDING, ACTIVE, PREVIOUS):
        state = FAILED
        store.update_record(number, state=FAILED)
    problem = recovered["problem"] if recovered is not None else ""
    error = str(store.record(number).get("why") or "the switch was ended from outside")
    return dict(_result(state), error=error, undo_failed=problem)


def _is_over(host: Host, number: int) -> bool:
    """Whether a switch that said ``healthy`` has gone back since, or nobody waits any more."""
    entry = try_read_journal(host)
    if entry is None or entry["number"] != number:
        return Store(host).current_number() != number
    return bool(entry["phase"] != HEALTHY) or not is_switch_running(host)


def _read_events(path: str, offset: int) -> Tuple[List[Dict[str, Any]], int]:
    """The whole lines that were written since the offset, and the new one."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    events = [one for one in map(_try_event, whole.splitlines()) if one is not None]
    return events, offset + len(whole)


def _try_event(line: bytes) -> Optional[Dict[str, Any]]:
    """The event of a line; None for half of one, which a full disk leaves."""
    try:
        event = loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _result(state: str) -> Dict[str, Any]:
    return {"state": state, "failed": [], "error": "", "undo_failed": "", "notes": []}


def _result_of(event: Dict[str, Any]) -> Dict[str, Any]:
    state = str(event.get("state"))
    state = "healthy" if state == "active" else state
    keys = ("failed", "error", "undo_failed")
    return dict(_result(state), **{key: event[key] for key in keys if key in event})
