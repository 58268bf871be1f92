"""A way to a node that takes time: a ProxyCommand that holds back what goes either way.

    python relay.py SECONDS PROGRAM ARGUMENT...

Runs the program, which makes the connection, and passes on what it and ssh say, each piece so
many seconds after it came; 0 is the same way without the delay. Pieces stay in order and are not
counted against each other, as on a long line that is wide enough.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections import deque

CHUNK = 1 << 16


class Way:
    """One direction: from a descriptor to another, `delay` seconds later."""

    def __init__(self, source: int, target: int, delay: float) -> None:
        self.source = source
        self.target = target
        self.delay = delay
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.is_open = True
        self.is_full = False
        os.set_blocking(target, False)

    def take(self) -> None:
        """Reads a piece; an empty one is the end."""
        self.waiting.append((time.monotonic() + self.delay, os.read(self.source, CHUNK)))
        self.is_open = bool(self.waiting[-1][1])

    def pass_on(self) -> None:
        """Writes what is due, as far as it is taken."""
        self.is_full = False
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            due, piece = self.waiting.popleft()
            if not piece:
                os.close(self.target)
                continue
            try:
                rest = piece[os.write(self.target, piece) :]
            except BlockingIOError:
                rest, self.is_full = piece, True
            if rest:
                self.waiting.appendleft((due, rest))
            if self.is_full:
                break


def relay(ways: list[Way]) -> None:
    """Passes on until both directions have ended."""
    while any(way.is_open or way.waiting for way in ways):
        due = [way.waiting[0][0] for way in ways if way.waiting and not way.is_full]
        limit = max(0.0, min(due) - time.monotonic()) if due else None
        sources = [way.source for way in ways if way.is_open]
        full = [way.target for way in ways if way.is_full]
        ready = select.select(sources, full, [], limit)[0]
        for way in ways:
            if way.source in ready:
                way.take()
            way.pass_on()


def main() -> None:
    """Relays standard input and output to and from the program."""
    delay, words = float(sys.argv[1]), sys.argv[2:]
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs_in, 0),
        (os.POSIX_SPAWN_DUP2, theirs_out, 1),
    ]
    os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        relay([Way(0, ours_out, delay), Way(ours_in, 1, delay)])
    except BrokenPipeError:
        pass


if __name__ == "__main__":
    main()
