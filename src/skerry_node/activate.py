"""The ops ``activate``, ``rejoin`` and ``confirm``: the operator's side of a switch."""

from __future__ import annotations

import os
import sys
import time

from skerry_node.fault import NodeFault
from skerry_node.files import Found, Owners, in_the_way, look, missing_folders
from skerry_node.following import follow_switch
from skerry_node.host import Host
from skerry_node.journal import (
    CONFIRMED,
    HEALTHY,
    finish_confirmed,
    is_switch_running,
    try_move_journal,
    try_read_journal,
)
from skerry_node.lock import give_lock_back, hold_lock
from skerry_node.recover import recover
from skerry_node.secrets import clean_secrets, raise_if_missing
from skerry_node.store import PENDING, UNCONFIRMED, Store, try_give_up
from skerry_node.switch import events_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from skerry_node.host import Emit
    from skerry_node.wire import Manifest

_PAUSE = 0.02
# How long a switch may take to end after it was confirmed, in seconds.
_ENDS_WITHIN = 10.0
_AGAIN = "run the command again: it plans anew"
# capabilities(7), by names that systemd 239 knows.
_NEVER_NEEDED = (
    "CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_IPC_LOCK CAP_MAC_ADMIN CAP_NET_ADMIN "
    "CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_RAW CAP_SYSLOG CAP_SYS_BOOT CAP_SYS_MODULE "
    "CAP_SYS_PACCT CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM"
)


def run_activate(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """Starts the switch and follows it until it is healthy (and waits for ``confirm``) or over.

    The result has ``state``: ``healthy``, ``failed`` or ``unconfirmed``; of the latter two,
    ``failed`` (units with reason and log), ``error`` and ``undo_failed`` say more. Raises
    NodeFault, with nothing changed, where the plan does not fit the node (any more).
    """
    _ignore_hangup()
    host = host or Host()
    store = Store(host)
    entry = hold_lock(host, args["token"])
    number, base, manifest = int(args["number"]), int(args["base"]), args["manifest"]
    _raise_if_changed(host, store, entry, number, base, emit)
    before = store.manifest(base)
    adopted = check_files(host, store, before, manifest)
    raise_if_missing(host, manifest.get("secrets", {}))
    old_folders = [
        folder
        for folder in store.record(base).get("folders", [])
        if os.path.isdir(host.path(folder))
    ]
    record = dict(
        args["generation"],
        number=number,
        state=PENDING,
        folders=old_folders + missing_folders(host, manifest["files"]),
        adopted=adopted,
    )
    request = {
        "token": args["token"],
        "base": base,
        "actions": args["actions"],
        "undo": args["undo"],
        "daemon_reload": bool(args["daemon_reload"]),
        "confirm_within": float(args["confirm_within"]),
        "adopted": adopted,
    }
    store.make_folders()
    store.add_generation(number, manifest, record, request)
    _remove_old_events(host, number)
    start_switch(host, number)
    return follow_switch(host, number, args["token"], emit)


def run_rejoin(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """Follows a switch whose operator lost the connection, from its beginning.

    The result is that of ``activate``; a switch that is no longer running is mended first.
    """
    _ignore_hangup()
    host = host or Host()
    number, store = int(args["number"]), Store(host)
    if not _is_given_up(store, number, args["token"]):
        hold_lock(host, args["token"])
    if number not in store.numbers():
        raise NodeFault(
            "no-such-generation",
            "generation %d was never begun: nothing was changed" % number,
            _AGAIN,
        )
    return follow_switch(host, number, args["token"], emit)


def run_confirm(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """Confirms a healthy generation: it is the active one when this returns.

    With ``unlock`` the lock is given back. Raises NodeFault ``activation-rolled-back`` when it
    came too late. Saying it twice is fine, at the same time too: the answer to the first may have
    been lost with its connection.
    """
    _ignore_hangup()
    host = host or Host()
    number, store = int(args["number"]), Store(host)
    if _is_given_up(store, number, args["token"]):
        raise _rolled_back(number)
    try:
        hold_lock(host, args["token"])
    except NodeFault:
        # Given back by whoever confirmed it first.
        if store.current_number() != number:
            raise
    if store.current_number() != number:
        _confirm(host, number, emit)
    _wait_for_end(host)
    if store.current_number() != number:
        raise _rolled_back(number)
    clean_secrets(host, store, emit)
    if args.get("unlock"):
        give_lock_back(host, args["token"])
    return {"state": "active"}


def run_recover(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """The op ``recover``: mends what an interrupted switch left, before a plan is made.

    Takes the lock for that (``lock`` is the request) and gives it back.
    """
    from skerry_node.lock import take_lock

    host = host or Host()
    taken = take_lock(host, args["lock"], emit)
    give_lock_back(host, args["lock"]["token"])
    return {"recovered": taken["recovered"], "notes": taken["notes"]}


def check_files(host: Host, store: Store, before: Manifest, after: Manifest) -> List[str]:
    """Whether a tree can be put on the disk; the paths that lie there already, just so.

    Raises NodeFault for a path that cannot be, for a user that is not there, for content that
    was not sent, and for a file that is not Skerry's and differs.
    """
    owners, adopted = Owners(), []
    for path, entry in sorted(after["files"].items()):
        if not os.path.isabs(path) or os.path.normpath(path) != path or "\0" in path:
            raise NodeFault("bad-request", "%r is not a path that a file can have" % path)
        if not store.has_blob(entry["digest"]):
            raise NodeFault("blob-missing", "the content of %s was not sent" % path, _AGAIN)
        owners.ids(entry["owner"])
        found = look(host.path(path), owners)
        if not found.is_entry(entry):
            # It is read again when it is written; but then something would have to be undone.
            store.check_blob(entry["digest"])
        if path in before["files"]:
            if found.kind in ("folder", "other"):
                raise in_the_way(path, "what is there is no file")
            continue
        if found.is_entry(entry):
            adopted.append(path)
        elif found.kind != "absent":
            raise in_the_way(path, _foreign(found))
    missing_folders(host, [*after["files"], *before["files"]])
    return adopted


def start_switch(host: Host, number: int) -> None:
    """Starts the transient unit. Raises NodeFault, with the generation given up, if it cannot."""
    source = "import sys; sys.path.insert(0, %r); from skerry_node.switch import main; main(%d)" % (
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        number,
    )
    finished = host.commands.run(
        "systemd-run",
        "--quiet",
        "--collect",
        "--no-block",
        "--unit=skerry-activate-%d.service" % number,
        "--description=Skerry switches to generation %d" % number,
        # On a shutdown nothing is gained by waiting: the next run mends it.
        "--property=TimeoutStopSec=2",
        # It writes files and talks to systemd. Nothing here takes time: a filter of system calls
        # would, and what it starts of Podman's may not lose the right to gain privileges.
        "--property=IPAddressDeny=any",
        "--property=CapabilityBoundingSet=~" + _NEVER_NEEDED,
        "--",
        sys.executable,
        "-I",
        "-S",
        "-c",
        source,
    )
    if finished.status != 0:
        try_give_up(host, number, "systemd-run: " + finished.words[-500:])
        finished.raise_unless_done()


def _is_given_up(store: Store, number: int, token: str) -> bool:
    """Whether this run's switch was not confirmed in time: it gave the lock back at its end, and
    whoever began it shall hear of that."""
    if store.record(number).get("state") != UNCONFIRMED:
        return False
    return bool(store.switch_request(number)["token"] == token)


def _confirm(host: Host, number: int, emit: Emit) -> None:
    entry = try_read_journal(host)
    if entry is not None and entry["boot"] != host.boot_id():
        # What was healthy before the reboot may not be so now.
        recover(host, emit)
    # It may have been moved by an exchange that is being answered into the void, or was killed.
    try_move_journal(host, number, HEALTHY, CONFIRMED)
    finish_confirmed(host, number)


def _wait_for_end(host: Host) -> None:
    """Waits until the switch's process has seen the confirmation and is gone."""
    until = time.monotonic() + _ENDS_WITHIN
    while is_switch_running(host) and time.monotonic() < until:
        time.sleep(_PAUSE / 4)


def _rolled_back(number: int) -> NodeFault:
    return NodeFault(
        "activation-rolled-back",
        "generation %d is not waiting to be confirmed (any more): the node is on, or goes back "
        "to, the one before" % number,
        "nothing is lost: " + _AGAIN,
    )


def _raise_if_changed(
    host: Host, store: Store, lock: Dict[str, Any], number: int, base: int, emit: Emit
) -> None:
    if is_switch_running(host):
        raise NodeFault("switch-running", "a switch to another generation is running", _AGAIN)
    recovered = recover(host, emit)
    if recovered is not None or lock.get("is_late"):
        note = recovered["note"] if recovered is not None else "an interrupted switch was undone"
        raise NodeFault("node-changed", "%s after this plan was made" % note, _AGAIN)
    current = store.current_number()
    if current != base or number != store.next_number():
        raise NodeFault(
            "node-changed",
            "the node changed since the plan was made: it is on generation %d and the next is "
            "%d, the plan is from %d to %d" % (current, store.next_number(), base, number),
            _AGAIN,
        )


def _foreign(found: Found) -> str:
    if found.kind == "file":
        return "it is there already and is not Skerry's"
    return "a %s is there already" % found.kind


def _remove_old_events(host: Host, number: int) -> None:
    """The file of events is empty at first; those of earlier switches go."""
    folder = os.path.dirname(events_path(host, number))
    for name in os.listdir(folder):
        if name.startswith("switch-"):
            os.unlink(os.path.join(folder, name))


def _ignore_hangup() -> None:
    """A connection that breaks is no reason to stop half way; SIGPIPE Python ignores by itself."""
    import signal

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
