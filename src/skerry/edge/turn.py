"""One operator's turn at the nodes: who, why, and the token that holds their locks."""

from __future__ import annotations

import secrets
import time
from typing import Any

import msgspec

from skerry.edge.exchange import exchange
from skerry.edge.ssh import Link
from skerry.errors import NodeError


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """`who` is ``user@host``; `when` seconds since 1970; `token` is known to this run alone."""

    cloud: str
    who: str
    message: str
    when: float
    token: str

    def lock_request(self) -> dict[str, Any]:
        """What the node program needs to give the lock to this turn."""
        return {
            "cloud": self.cloud,
            "who": self.who,
            "why": self.message or "apply",
            "token": self.token,
        }


def begin_turn(*, cloud: str, who: str, message: str) -> Turn:
    """A new turn, with a token that nobody can guess."""
    return Turn(
        cloud=cloud, who=who, message=message, when=time.time(), token=secrets.token_hex(16)
    )


def try_unlock(link: Link, turn: Turn, *, deadline: float = 10.0) -> NodeError | None:
    """Gives the node's lock back; an unreachable node keeps it until it is stale."""
    try:
        exchange(link, "unlock", {"token": turn.token}, deadline=deadline)
    except NodeError as error:
        return error
    return None
