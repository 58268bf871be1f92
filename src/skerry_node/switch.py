"""The switch to a new generation: runs in a transient unit, so that it survives the connection.

    new files -> daemon-reload -> stages -> old files go -> confirmed in time? -> done, or undo
                                    |
                      stop -> start, restart, reload -> health

The intent is in the journal before anything is touched; `journal` says why whatever ends this
program leaves a node that the next run can put in order. What makes way for something new is
stopped in a later stage than that is started, so that it runs until the new is healthy; the files
of units that go are removed when all is healthy.
"""

from __future__ import annotations

import os
import time

from skerry_node.basics import LOG_LINES, dump
from skerry_node.fault import NodeFault, words_of
from skerry_node.files import LARGE, Owners, Replacement, identity, look
from skerry_node.health import wait_for_health
from skerry_node.host import Host
from skerry_node.images import check_storage
from skerry_node.journal import (
    CONFIRMED,
    HEALTHY,
    SWITCHING,
    UNDOING,
    finish_confirmed,
    try_hold_switch,
    try_move_journal,
    try_read_journal,
    write_journal,
)
from skerry_node.lock import drop_lock, hold_lock, try_renew
from skerry_node.recover import stages_of, start_for, stop_for, undo, unlisted_units
from skerry_node.store import FAILED, UNCONFIRMED, Store, try_give_up
from skerry_node.unit_log import read_log, sync_log
from skerry_node.units import explain_missing, has_unit_files, reload_systemd, show, stop_units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List

    from skerry_node.host import Emit
    from skerry_node.wire import Manifest

    Ended = Dict[str, Any]

# How often the switch looks whether it was confirmed, and renews the operator's lock, in seconds.
_CONFIRM_PAUSE = 0.02
_RENEW_PAUSE = 20.0


def events_path(host: Host, number: int) -> str:
    """Where the switch writes its events; the exchange that started it follows them."""
    return host.volatile_path("switch-%d.jsonl" % number)


def main(number: int) -> None:
    """The transient unit's program."""
    import signal

    os.umask(0o077)
    os.chdir("/")
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    for ignored in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    host = Host()
    run_switch(host, number, emit_to(events_path(host, number)))


def emit_to(path: str) -> Emit:
    """An `emit` that appends to a file."""

    def emit(event: Dict[str, Any]) -> None:
        try:
            with open(path, "ab", 0) as sink:
                sink.write(dump(event) + b"\n")
        except OSError:
            # Whoever follows looks at journal and record where no word comes.
            return

    return emit


def run_switch(host: Host, number: int, emit: Emit) -> None:
    """Switches to a pending generation and says how that ended with the event ``end``."""
    try:
        held = try_hold_switch(host)
        if held is None:
            raise NodeFault("switch-running", "another switch is running")
        with held:
            emit(_run_alone(host, number, emit))
    except (NodeFault, OSError) as fault:
        emit(_end("failed", error="nothing was changed: " + words_of(fault)))
        try_give_up(host, number, words_of(fault))


def _run_alone(host: Host, number: int, emit: Emit) -> Ended:
    """The whole switch. Raises NodeFault and OSError where nothing was changed."""
    store = Store(host)
    request = store.switch_request(number)
    entry = {
        "number": number,
        "base": request["base"],
        "phase": SWITCHING,
        "boot": host.boot_id(),
        "began": time.monotonic(),
        # No unit is touched yet: going back from here leaves them alone.
        "stage": -1,
    }
    if try_read_journal(host) is not None:
        raise NodeFault("switch-running", "an interrupted switch is to be mended first")
    hold_lock(host, request["token"])
    write_journal(host, entry)
    ended = _switch(host, store, entry, request, _renewing(host, request["token"], emit))
    if ended["state"] == UNCONFIRMED:
        # Nobody is there any more who could do it.
        drop_lock(host, request["token"])
    return ended


def _switch(
    host: Host, store: Store, entry: Dict[str, Any], request: Dict[str, Any], emit: Emit
) -> Ended:
    number = int(entry["number"])
    failed: List[Dict[str, Any]] = []
    error, state = "", FAILED
    try:
        failed = _forward(host, store, entry, request, emit)
        if not failed:
            write_journal(host, dict(entry, phase=HEALTHY))
            emit({"event": "healthy"})
            if _wait_for_confirmation(host, number, request, emit):
                return _end("active")
            state = UNCONFIRMED
    except (NodeFault, OSError) as fault:
        entry["why"] = error = words_of(fault)
    try:
        problem = undo(host, entry, state, emit)
    except (NodeFault, OSError) as fault:
        problem = "%s (the next run tries again)" % words_of(fault)
    return _end(state, failed=failed, error=error, undo_failed=problem)


def _forward(
    host: Host, store: Store, entry: Dict[str, Any], request: Dict[str, Any], emit: Emit
) -> List[Dict[str, Any]]:
    """All steps up to healthy; the units that failed, each with reason and the end of its log.

    The journal has the stage before it is begun: going back takes back just these.
    """
    mark, number = _phases(emit), int(entry["number"])
    before, after = store.manifest(int(request["base"])), store.manifest(number)
    replacement = Replacement(
        host,
        store,
        before,
        after,
        adopted=(),
        folders=store.record(number).get("folders", []),
    )
    written = replacement.write(number)
    _record_large_files(host, store, number)
    mark("files")
    if request["daemon_reload"] and has_unit_files(written):
        reload_systemd(host)
        mark("daemon-reload")
    for stage, actions in stages_of(request["actions"]):
        if stage != entry["stage"]:
            entry["stage"] = stage
            write_journal(host, entry)
        stop_for(host, actions, before["units"], after["units"], emit)
        if any(one["verb"] == "stop" for one in actions):
            mark("stop")
        acted, jobs = start_for(host, actions, after["units"])
        if not acted:
            continue
        mark("units")
        reasons = wait_for_health(host, acted, emit, jobs)
        mark("health")
        if reasons:
            sync_log(host)
            return [
                {"unit": unit, "reason": why, "log": _log_of(host, unit, after, why)}
                for unit, why in sorted(reasons.items())
            ]
    stop_units(host, unlisted_units(before, after))
    removed = replacement.remove(number)
    if removed:
        mark("files")
    if request["daemon_reload"] and has_unit_files(removed):
        reload_systemd(host)
        mark("daemon-reload")
    return []


def _log_of(host: Host, unit: str, tree: Manifest, why: str) -> List[str]:
    """The end of a failed unit's log, or why there is no such unit."""
    if show(host, [unit])[unit].get("LoadState") == "not-found":
        return explain_missing(host, tree["units"][unit]["files"])[-LOG_LINES:]
    lines = read_log(host, unit, LOG_LINES)
    # Podman's own: it failed itself, or could not run or find the program.
    is_podmans = any("exit status 12%d" % number in why for number in (5, 6, 7))
    return lines + check_storage(host) if is_podmans else lines


def _record_large_files(host: Host, store: Store, number: int) -> None:
    """Notes by what large files are known again, so that `observe` need not read them."""
    owners, large = Owners(), {}
    for path, entry in store.manifest(number)["files"].items():
        status = os.lstat(host.path(path))
        if status.st_size > LARGE and look(host.path(path), owners).is_entry(entry):
            large[path] = [*identity(status), entry["digest"]]
    if large:
        store.update_record(number, large=large)


def _wait_for_confirmation(host: Host, number: int, request: Dict[str, Any], emit: Emit) -> bool:
    """Whether the operator confirmed in time. `confirm` does the last steps itself and closes
    the journal; so what is waited for is its end."""
    until = host.uptime() + float(request["confirm_within"])
    renewed = host.uptime()
    while host.uptime() < until:
        if not os.path.exists(host.state_path("journal")):
            return True
        if host.uptime() - renewed > _RENEW_PAUSE:
            renewed = host.uptime()
            try_renew(host, request["token"])
        time.sleep(_CONFIRM_PAUSE)
    if try_move_journal(host, number, HEALTHY, UNDOING):
        return False
    # Confirmed at the last moment, or just now being closed by `confirm`, or by whoever recovers.
    entry = try_read_journal(host)
    if entry is not None and entry["phase"] == CONFIRMED:
        finish_confirmed(host, number)
    return True


def _phases(emit: Emit) -> Callable[[str], None]:
    """A function that emits how long a phase took, since the one before."""
    last = [time.monotonic()]

    def mark(name: str) -> None:
        now = time.monotonic()
        emit({"event": "phase", "name": name, "seconds": round(now - last[0], 3)})
        last[0] = now

    return mark


def _renewing(host: Host, token: str, emit: Emit) -> Emit:
    """`emit`, with the operator's lock renewed by the way."""

    def emit_and_renew(event: Dict[str, Any]) -> None:
        emit(event)
        try_renew(host, token)

    return emit_and_renew


def _end(state: str, **more: Any) -> Ended:
    found = {"event": "end", "state": state, "failed": [], "error": "", "undo_failed": ""}
    return dict(found, **more)
