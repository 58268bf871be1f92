"""How many connections are begun at a time: as many as this machine can begin at once, and no more.

To open a connection costs 10 to 100 ms of processor time here (key exchange). Two hundred at once
on two cores take so long that each would run out of its time for connecting, though every node is
well. So they are begun in a window. A node that is dead must not hold a place in it: whoever has
waited longer than those before him needed has no more to do here than to wait, and his place is
given to the next.
"""

from __future__ import annotations

import os
import resource
import time
from collections import deque
from collections.abc import Collection
from threading import Condition, Lock

# Seconds that a place is held at least before it is taken for one that only waits.
LEAST_HOLD = 0.5
# And at most: an image that is being sent says nothing of how long a connection takes.
_MOST_HOLD = 5.0
# How many times as long as the others it may take.
_PATIENCE = 2.0
# What one connection holds open here: two pipes, a file, and for a moment two pipes more.
FILES_EACH = 8
# What else is open: the terminal, the cache, archives of images.
_OTHER_FILES = 64


class Place:
    """A place in the window, from when the connection is begun until the node says something."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.begun = time.monotonic()
        self.is_held = True

    def leave(self, *, has_answered: bool = False) -> None:
        """Gives the place back; nothing happens the second time."""
        if self.is_held:
            self.is_held = False
            self._window.take_back(self, has_answered=has_answered)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class Window:
    """At most `size` connections that are being begun, and not only waited for."""

    def __init__(self, size: int, *, least_hold: float = LEAST_HOLD) -> None:
        self.size = size
        self._least_hold = least_hold
        self._inside: set[Place] = set()
        self._times: deque[float] = deque(maxlen=64)
        self._changed = Condition()
        # One at a time waits for a place, the others for their turn: no herd wakes up.
        self._turn = Lock()

    def enter(self) -> Place:
        """Waits for a place, and takes it."""
        with self._turn, self._changed:
            while (wait := self.wait_time()) > 0:
                self._changed.wait(wait)
            place = Place(self)
            self._inside.add(place)
            return place

    def take_back(self, place: Place, *, has_answered: bool) -> None:
        """A place is free again; how long it was held tells how long the others may."""
        with self._changed:
            if has_answered:
                self._times.append(time.monotonic() - place.begun)
            self._inside.discard(place)
            self._changed.notify()

    def wait_time(self) -> float:
        """Seconds until a place is free, if nobody leaves before; 0 where one is."""
        usual = _PATIENCE * _median(self._times) if self._times else 0.0
        hold = max(self._least_hold, min(usual, _MOST_HOLD))
        now = time.monotonic()
        left = sorted(place.begun + hold - now for place in self._inside)
        busy = [one for one in left if one > 0]
        return busy[len(busy) - self.size] if len(busy) >= self.size else 0.0


def begun_at_once() -> int:
    """How many connections this machine begins at a time: enough for all of its cores."""
    return 8 * (os.cpu_count() or 1)


def allow_files(connections: int) -> None:
    """Has the kernel let us open as many files as so many connections need, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections * FILES_EACH + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if most > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


STARTS = Window(begun_at_once())
"""The one of this process: its cores are what it is about."""


def _median(times: Collection[float]) -> float:
    """As in `statistics`, whose import takes longer than an exchange's own code."""
    middle = len(times) // 2
    ordered = sorted(times)
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
