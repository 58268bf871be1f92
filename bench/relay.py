"""A way to a node that takes time: a ProxyCommand that holds back what goes either way.

    python relay.py SECONDS NOTES PROGRAM ARGUMENT...

Runs the program, which makes the connection, and passes on what it and ssh say, each piece so
many seconds after it came; 0 is the same way without the delay. Pieces stay in order and are not
counted against each other, as on a long line that is wide enough.

It counts round trips: a piece of ours begins one that is behind all that we have heard by then,
and a piece of the node's ends the latest one of which the node has heard. What follows from
nothing but what both had heard before belongs to the same trip, however much it is. In the folder
NOTES each connection has a file with a line for each trip that has ended: when (the system's
monotonic clock), and how many there were (`bench/trips.py` reads them).
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections import deque
from io import FileIO
from pathlib import Path

CHUNK = 1 << 16


class Way:
    """One direction: from a descriptor to another, `delay` seconds later.

    `begins` is 1 for the direction whose pieces begin a round trip, and 0 for the one whose pieces
    end it; those that have been passed on tell what the pieces of `other` follow from.
    """

    def __init__(self, source: int, target: int, delay: float, *, begins: int = 0) -> None:
        self.source = source
        self.target = target
        self.delay = delay
        self.begins = begins
        self.other = self
        self.notes: FileIO | None = None
        self.trips = 0
        self.waiting: deque[tuple[float, bytes, int]] = deque()
        self.is_open = True
        self.is_full = False
        os.set_blocking(target, False)

    def take(self) -> None:
        """Reads a piece; an empty one is the end."""
        piece = os.read(self.source, CHUNK)
        self.waiting.append((time.monotonic() + self.delay, piece, self.other.trips + self.begins))
        self.is_open = bool(piece)

    def pass_on(self) -> None:
        """Writes what is due, as far as it is taken."""
        self.is_full = False
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            due, piece, trips = self.waiting.popleft()
            if not piece:
                os.close(self.target)
                continue
            self._note(trips)
            try:
                rest = piece[os.write(self.target, piece) :]
            except BlockingIOError:
                rest, self.is_full = piece, True
            if rest:
                self.waiting.appendleft((due, rest, trips))
            if self.is_full:
                break

    def _note(self, trips: int) -> None:
        if trips > self.trips:
            self.trips = trips
            if self.notes is not None:
                self.notes.write(f"{time.monotonic()} {trips}\n".encode())


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
    delay, notes, words = float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs_in, 0),
        (os.POSIX_SPAWN_DUP2, theirs_out, 1),
    ]
    os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    os.close(theirs_in)
    os.close(theirs_out)
    there, back = Way(0, ours_out, delay, begins=1), Way(ours_in, 1, delay)
    there.other, back.other = back, there
    with open(notes / str(os.getpid()), "wb", buffering=0) as file:
        back.notes = file
        try:
            relay([there, back])
        except BrokenPipeError:
            pass


if __name__ == "__main__":
    main()
