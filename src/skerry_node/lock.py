"""The lock of a node: one operator at a time, known by a token.

The lock is a file, not a process: it outlives the exchange that took it. Each exchange with its
token, and a running switch, renew it for another lease; one that nobody renewed is stale and is
taken over. Leases are counted on the node's boot clock, so no wall clock matters.
"""

from __future__ import annotations

import os
import time

from skerry_node.durable import make_folder, remove_durable, try_read_json, write_json
from skerry_node.fault import NodeFault
from skerry_node.host import Host
from skerry_node.journal import close_journal, guard, is_switch_running, try_read_journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Dict, List, Optional

    from skerry_node.host import Emit
    from skerry_node.wire import LockEntry

    Entry = Dict[str, Any]

LEASE = 120.0
_NUMBER = (int, float)
_SHAPE: Dict[str, Any] = {"who": str, "why": str, "token": str, "boot": str, "since": _NUMBER}
_SHAPE.update(cloud=str, expires_at=_NUMBER)
# Renewing is a write that is synced; so not more often than needed.
RENEW_AFTER = 20.0


def take_lock(host: Host, request: Dict[str, Any], emit: Emit) -> Dict[str, Any]:
    """Takes the lock, takes over a stale one, and mends what an interrupted switch left.

    `request` has ``cloud``, ``who``, ``why`` and ``token``, and in ``inherits`` the tokens of
    runs of the same operator that are over: what they hold is taken over at once. Returns
    ``recovered`` (what was mended, or None), ``notes`` for people about both, and the ``taker``,
    another one each time. Raises NodeFault ``locked`` when somebody else is at work.
    """
    token = request["token"]
    if not isinstance(token, str) or len(token) < 16:
        raise NodeFault("bad-request", "a lock needs a token of 16 characters or more")
    make_folder(host.state)
    notes: List[str] = []
    is_left = is_lock_left(host, request.get("inherits", ()))
    taker = os.urandom(8).hex()
    try:
        entry = _take(host, request, notes, taker)
        recovered = None
        if try_read_journal(host) is None:
            # One that is damaged and belongs to no switch would be taken for the next one's.
            close_journal(host)
        else:
            from skerry_node.recover import adopt_switch, recover

            recovered = (adopt_switch(host, emit) if is_left else None) or recover(host, emit)
        if recovered is not None:
            # The plan was made while the node was in between: an activation must not use it.
            with guard(host):
                _renew(host, dict(entry, is_late=True))
            notes.append(recovered["note"])
    except BaseException:
        drop_lock(host, token, taker)
        raise
    return {"recovered": recovered, "notes": notes, "taker": taker}


def _take(host: Host, request: Dict[str, Any], notes: List[str], taker: str) -> Entry:
    token = request["token"]
    with guard(host):
        entry = _try_read(host)
        if entry is None and os.path.lexists(host.state_path("lock")):
            notes.append("the lock was damaged and is taken over")
        if entry is not None and entry["token"] != token:
            if entry["token"] in request.get("inherits", ()):
                notes.append("took over the lock of a run that ended early: %s" % entry["why"])
            elif _is_stale(host, entry):
                notes.append("took over a stale lock of %s" % describe_holder(entry))
            else:
                raise _locked(host, entry)
        if entry is None or entry["token"] != token:
            entry = {
                "cloud": str(request.get("cloud", "")),
                "who": str(request.get("who", "")),
                "why": str(request.get("why", "")),
                "since": time.time(),
                "token": token,
                "is_late": False,
            }
        entry = dict(entry, taker=taker)
        _renew(host, entry)
        return entry


def hold_lock(host: Host, token: str) -> Entry:
    """The lock that the token holds, renewed. Raises NodeFault ``lock-lost`` if it does not."""
    with guard(host):
        entry = _try_read(host)
        if entry is None or entry["token"] != token:
            holder = " to " + describe_holder(entry) if entry is not None else ""
            raise NodeFault(
                "lock-lost",
                "this run does not hold the node's lock (any more): it was lost%s" % holder,
                hint="run the command again",
            )
        is_old = host.uptime() > entry["expires_at"] - LEASE + RENEW_AFTER
        # After a reboot the lock is still this run's as long as nobody took it over.
        if is_old or entry["boot"] != host.boot_id():
            _renew(host, entry)
        return entry


def try_renew(host: Host, token: str) -> None:
    """Renews the lock if the token holds it and the disk takes it; another time it may."""
    try:
        hold_lock(host, token)
    except (NodeFault, OSError):
        return


def give_lock_back(host: Host, token: str, taker: str = "", *, forced: bool = False) -> bool:
    """Removes the lock if the token holds it, or in any case when forced.

    With a `taker` not where the token has taken it once more since.
    """
    make_folder(host.state)
    with guard(host):
        entry = _try_read(host)
        if entry is None or (entry["token"] != token and not forced):
            return False
        if taker and entry.get("taker") != taker:
            return False
        remove_durable(host.state_path("lock"))
        return True


def is_taken_again(host: Host, token: str, taker: str) -> bool:
    """Whether the token has taken the lock once more since `taker` did: its connection was lost,
    and it asks the same over another one."""
    entry = _try_read(host)
    return entry is not None and entry["token"] == token and entry.get("taker") != taker


def drop_lock(host: Host, token: str, taker: str = "") -> None:
    """Gives the lock back where that is possible, because of something worse."""
    try:
        give_lock_back(host, token, taker)
    except (NodeFault, OSError):
        return


def show_lock(host: Host) -> Optional[LockEntry]:
    """The lock as others may see it, without its token; None if there is none or it is stale."""
    entry = _try_read(host)
    if entry is None or _is_stale(host, entry):
        return None
    return {
        "cloud": entry["cloud"],
        "who": entry["who"],
        "why": entry["why"],
        "since": entry["since"],
        "token": "",
        "expires": time.time() + entry["expires_at"] - host.uptime(),
        "boot": entry["boot"],
    }


def is_lock_left(host: Host, tokens: Collection[str]) -> bool:
    """Whether one of these tokens, of runs that are over, holds the lock."""
    entry = _try_read(host) if tokens else None
    return entry is not None and entry["token"] in tokens


def describe_holder(entry: Entry) -> str:
    """Who holds a lock, since when and why, in a few words."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry["since"]))
    return "%s since %s (%s)" % (entry["who"], since, entry["why"])


def run_lock(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """The op ``lock``: ``lock`` is the request; the result is `take_lock`'s."""
    taken = take_lock(host or Host(), args["lock"], emit)
    return {"recovered": taken["recovered"], "notes": taken["notes"]}


def run_renew(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """The op ``renew``: ``token`` goes on holding the lock. Raises NodeFault ``lock-lost``."""
    hold_lock(host or Host(), str(args["token"]))
    return {}


def run_unlock(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """The op ``unlock``: ``token``, or ``force``; the result says whether it was ``released``."""
    forced = bool(args.get("force", False))
    token = str(args.get("token") or "")
    host = host or Host()
    if forced and is_switch_running(host):
        raise NodeFault(
            "switch-running",
            "the node is being switched just now",
            hint="that ends by itself; run the command again",
        )
    return {"released": give_lock_back(host, token, forced=forced)}


def _try_read(host: Host) -> Optional[Entry]:
    """The lock; None where there is none, or it is damaged: then nobody can hold it."""
    try:
        entry: Optional[Entry] = try_read_json(host.state_path("lock"), _SHAPE)
    except NodeFault:
        return None
    return entry


def _renew(host: Host, entry: Entry) -> None:
    expires_at = host.uptime() + LEASE
    write_json(host.state_path("lock"), dict(entry, boot=host.boot_id(), expires_at=expires_at))


def _is_stale(host: Host, entry: Entry) -> bool:
    if entry["boot"] == host.boot_id() and host.uptime() < entry["expires_at"]:
        return False
    return not (try_read_journal(host) is not None and is_switch_running(host))


def _locked(host: Host, entry: Entry) -> NodeFault:
    left = max(0.0, entry["expires_at"] - host.uptime())
    return NodeFault(
        "locked",
        "locked by %s" % describe_holder(entry),
        hint="its holder is at work, or went away without a word: then the next run takes the "
        "lock over in %.0f s, or now after `skerry node unlock`" % left,
    )
