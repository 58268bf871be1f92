"""Whether a workload answers: asked again and again from outside while something goes on."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from threading import Event, Thread

import msgspec

from skerry.edge.ssh import Link, run_remote
from skerry.errors import NodeError

# Seconds between two looks, and how long one may take.
LOOK_EVERY = 0.1
_LOOK_WITHIN = 1.0

OpenSocket = Callable[[], socket.socket]


class Door(msgspec.Struct, frozen=True):
    """A port of a node that is asked; with `path` by HTTP, else it need only accept."""

    host: str
    port: int
    path: str = ""


class UnitsOn(msgspec.Struct, frozen=True):
    """Units of a workload's replica on a node, and files that are there while they are ready."""

    link: Link
    units: tuple[str, ...]
    ready: tuple[str, ...] = ()


class Watch:
    """One workload, looked at in a thread of its own. Times are those of `time.monotonic`."""

    def __init__(
        self, doors: Sequence[Door], units: Sequence[UnitsOn], open_socket: OpenSocket
    ) -> None:
        self._has_doors = bool(doors)
        self._doors = list(doors)
        self._units = list(units)
        self._open_socket = open_socket
        self._over = Event()
        self._thread = Thread(target=self._look_on, daemon=True)
        self._bug: Exception | None = None
        self._silences: list[tuple[float, float | None]] = []
        self.is_answering = False

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the looking. Raises what went wrong with it."""
        self._over.set()
        self._thread.join()
        if self._bug is not None:
            raise self._bug

    def forget(self, node: str, host: str) -> None:
        """The node is about to be lost: it is not asked any more."""
        self._doors = [door for door in self._doors if door.host != host]
        self._units = [units for units in self._units if units.link.node != node]

    def answered_again(self, since: float) -> float | None:
        """When it answered for good after the last silence that began, or lasted, after `since`.

        0 where it was never silent; None while it is.
        """
        last = [end for begin, end in self._silences if end is None or end > since]
        if not last:
            return 0.0
        return last[-1]

    def _look_on(self) -> None:
        try:
            self._look_until_over()
        except Exception as error:
            # A thread has nobody above it: who ends it raises it.
            self._bug = error

    def _look_until_over(self) -> None:
        while not self._over.is_set():
            begun = time.monotonic()
            answers = self._answers()
            now = time.monotonic()
            if answers and self._silences and self._silences[-1][1] is None:
                self._silences[-1] = (self._silences[-1][0], now)
            elif not answers and (not self._silences or self._silences[-1][1] is not None):
                self._silences.append((begun, None))
            self.is_answering = answers
            self._over.wait(LOOK_EVERY)

    def _answers(self) -> bool:
        if self._has_doors:
            return any(answers_at(door, self._open_socket) for door in self._doors)
        # The node that is lost may be forgotten while another of them is looked at.
        return any(units in self._units and _are_up(units) for units in list(self._units))


def answers_at(door: Door, open_socket: OpenSocket) -> bool:
    """Whether the port accepts a connection and, with a path, says less than 400."""
    try:
        with open_socket() as connection:
            connection.settimeout(_LOOK_WITHIN)
            connection.connect((door.host, door.port))
            if not door.path:
                return True
            request = f"GET {door.path} HTTP/1.0\r\nHost: {door.host}\r\n\r\n"
            connection.sendall(request.encode())
            words = connection.recv(64).split()
            return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1] < b"400"
    except OSError:
        return False


def _are_up(place: UnitsOn) -> bool:
    import shlex

    checks = [f"systemctl is-active --quiet {shlex.quote(unit)}" for unit in place.units]
    checks += [f"test -e {shlex.quote(path)}" for path in place.ready]
    try:
        return run_remote(place.link, " && ".join(checks), timeout=10).status == 0
    except NodeError:
        return False
