"""One operator's turn at the nodes: who, why, and the token that holds their locks.

A run that ends without a word (killed, its machine lost power, its connection cut) leaves locks
behind. Its token is in the cloud folder's cache, in a file that a run holds for as long as it
lives: so the next run in the folder knows the tokens of those that are over, and takes over what
they held at once. Everybody else waits until the locks are stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from skerry.edge.exchange import exchange
from skerry.edge.ssh import Link
from skerry.errors import NodeError

NAME = "turns"
# So many runs that were cut short one after the other are remembered.
_KEPT = 8
# The files that this process holds, by folder; the kernel gives them back when it ends.
_held: dict[Path, int] = {}
# Seconds between two changes at least.
_TICK = 0.001
# How far ahead the time of an earlier change is believed to be, in seconds.
_AHEAD = 3 * 365 * 86400.0


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """`who` is ``user@host``; `when` seconds since 1970; `token` is known to this run alone.

    `inherits` are the tokens of earlier runs in the folder, which are over.
    """

    cloud: str
    who: str
    message: str
    when: float
    token: str
    inherits: tuple[str, ...] = ()

    def lock_request(self) -> dict[str, Any]:
        """What the node program needs to give the lock to this turn."""
        return {
            "cloud": self.cloud,
            "who": self.who,
            "why": self.message or "apply",
            "token": self.token,
            "inherits": list(self.inherits),
        }


def begin_turn(*, cloud: str, who: str, message: str, cache: Path | None = None) -> Turn:
    """A new turn, with a token that nobody can guess.

    With the cloud folder's `cache` it inherits what earlier runs there left, and leaves the same.
    """
    token = os.urandom(16).hex()
    inherits = _note_turn(cache, token) if cache is not None else ()
    return Turn(
        cloud=cloud, who=who, message=message, when=time.time(), token=token, inherits=inherits
    )


def follow(turn: Turn, moments: Iterable[float]) -> Turn:
    """The turn, with a time that is later than all of these.

    Histories are put in order by the operators' clocks: one that was a year ahead, or is a year
    behind, must not make an old change the latest one. A moment years ahead is no clock's error
    but a node's lie, and is left out.
    """
    latest = max((one for one in moments if one < turn.when + _AHEAD), default=0.0)
    if turn.when > latest:
        return turn
    return msgspec.structs.replace(turn, when=latest + _TICK)


def past_tokens(cache: Path) -> tuple[str, ...]:
    """The tokens of earlier runs with that cache; none while one of them is at work."""
    if cache in _held:
        return _read_tokens(_held[cache])
    try:
        descriptor = os.open(cache / NAME, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return _read_tokens(descriptor)
    except OSError:
        return ()
    finally:
        os.close(descriptor)


def _note_turn(cache: Path, token: str) -> tuple[str, ...]:
    """Adds a token to the cache's file and holds it; the tokens that were there.

    Where another run holds it, or it cannot be written, nothing is inherited and nothing left.
    """
    try:
        if cache not in _held:
            cache.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            descriptor = os.open(cache / NAME, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return ()
            _held[cache] = descriptor
        tokens = _read_tokens(_held[cache])
        kept = [*tokens, token][-_KEPT:]
        content = json.dumps({"place": _place(_held[cache]), "tokens": kept}).encode()
        os.pwrite(_held[cache], content, 0)
        os.ftruncate(_held[cache], len(content))
    except OSError:
        return ()
    return tokens


def _place(descriptor: int) -> list[str | int]:
    """What tells this very file from every copy of it."""
    return [os.uname().nodename, os.fstat(descriptor).st_ino]


def _read_tokens(descriptor: int) -> tuple[str, ...]:
    """What the file holds; nothing where it was written elsewhere (the folder is a copy, or is
    synchronised with another machine): whether that run is over cannot be seen from here."""
    try:
        found = json.loads(os.pread(descriptor, 65536, 0))
        is_ours = found["place"] == _place(descriptor)
        return tuple(map(str, found["tokens"]))[-_KEPT:] if is_ours else ()
    except (ValueError, TypeError, KeyError):
        return ()


def try_unlock(link: Link, turn: Turn, *, deadline: float = 10.0) -> NodeError | None:
    """Gives the node's lock back; an unreachable node keeps it until it is stale."""
    try:
        exchange(link, "unlock", {"token": turn.token}, deadline=deadline)
    except NodeError as error:
        return error
    return None
