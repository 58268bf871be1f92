"""Taking the locks of all nodes that a command changes, or of none; and giving them back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from skerry.cli.cloud import OpenCloud
from skerry.edge.fan_out import fan_out
from skerry.edge.leases import LEASE, Leases
from skerry.edge.stop import Stopping, as_interrupted
from skerry.edge.turn import Turn, try_unlock
from skerry.errors import NodeError, NodeLocked

Answers = dict[str, int | NodeError]
RUN_OUT = f"are taken over by the next run here, and run out for others within {LEASE:g} s"
# How long who holds the first of the nodes waits for another operator to give way, in seconds.
_GIVES_WAY_WITHIN = 5.0
_FIRST_PAUSE = 0.2


def take_locks(
    opened: OpenCloud,
    turn: Turn,
    leases: Leases,
    stop: Stopping,
    names: Collection[str],
    take: Callable[[str], int],
) -> Answers:
    """Calls `take` with each node, in parallel: it takes the lock and does what goes with that.

    Of two operators who begin at the same moment, each may get some of the nodes. Who has the
    first of them, by name, waits for the other; who has not gives all back. So one goes on, and
    nobody waits in a circle.

    Raises `NodeLocked` where another operator is at work, and `Interrupted`; all locks are given
    back then, and nothing has been switched.
    """
    hold = holding(leases)
    try:
        answers = fan_out(names, take, on_answer=hold)
        until, pause = time.monotonic() + _GIVES_WAY_WITHIN, _FIRST_PAUSE
        while (again := _contested(answers)) and time.monotonic() < until and not stop.is_wanted:
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
            answers.update(fan_out(again, take, on_answer=hold))
    except KeyboardInterrupt as error:
        words = f"nothing was changed; the locks of {', '.join(names)} {RUN_OUT}"
        raise as_interrupted(error, words) from None
    except BaseException:
        kept = unlock_nodes(opened, turn, leases, names)
        if stop.is_wanted:
            # A program of this machine that got the signal too (podman save).
            raise stop.interrupted(f"nothing was changed{_kept_words(kept)}") from None
        raise
    if stop.is_wanted:
        kept = unlock_nodes(opened, turn, leases, names)
        raise stop.interrupted(f"nothing was changed{_kept_words(kept)}")
    locked = [answer for answer in answers.values() if isinstance(answer, NodeLocked)]
    if locked:
        unlock_nodes(opened, turn, leases, leases.held)
        raise locked[0]
    return {name: answers[name] for name in names}


def holding(leases: Leases) -> Callable[[str, int | NodeError], None]:
    """What is to be called with each node's answer: one that is no error has taken the lock."""

    def hold(name: str, answer: int | NodeError) -> None:
        if not isinstance(answer, NodeError):
            leases.hold(name)

    return hold


def unlock_nodes(
    opened: OpenCloud, turn: Turn, leases: Leases, names: Collection[str]
) -> list[str]:
    """Gives locks back as far as the nodes can be reached; the nodes that may still have one."""
    names = list(names)
    for name in names:
        leases.let_go(name)
    if not names:
        return []
    answers = fan_out(names, lambda name: try_unlock(opened.link(name, timeout=5), turn) or name)
    return [name for name, answer in answers.items() if isinstance(answer, NodeError)]


def _kept_words(names: list[str]) -> str:
    return f"; {', '.join(names)} could not be reached: locks there {RUN_OUT}" if names else ""


def _contested(answers: Mapping[str, int | NodeError]) -> list[str]:
    """The nodes that another operator has, where the first of all that are ours or theirs is
    ours; else none."""
    locked = [name for name, one in answers.items() if isinstance(one, NodeLocked)]
    held = [name for name, one in answers.items() if not isinstance(one, NodeError)]
    return locked if locked and held and min(held) < min(locked) else []
