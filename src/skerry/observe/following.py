"""Following the journals of many nodes: a streaming merge that survives lost connections."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count
from queue import Empty, Queue
from threading import Event, Thread

import msgspec

from skerry.errors import NodeError, NodeUnreachable
from skerry.observe.containers import inspect_node
from skerry.observe.journal import JournalQuery, Line
from skerry.observe.log_streams import JournalStream, NodeLog

# How long a line waits for older ones of slower nodes, in seconds.
WINDOW = 0.3
_LONGEST_PAUSE = 10.0
# Lines that were read and not yet shown: a node that talks faster than the terminal shows waits.
_WAITING_MOST = 64


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a node that is no line of a log: it is gone, it is back."""

    node: str
    words: str
    error: NodeError | None = None


class Reorder:
    """Lines go in as they come and out by their time, each after `window` seconds at the most."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._heap: list[tuple[int, int, Line]] = []
        self._order = count()
        # When each came, with its place in the heap's order; and up to where lines are due.
        self._waiting: deque[tuple[float, tuple[int, int]]] = deque()
        self._due = (-1, -1)

    def add(self, line: Line, now: float) -> None:
        """A line that came at `now` (seconds of any clock that only goes forward)."""
        place = (line.microseconds, next(self._order))
        heappush(self._heap, (*place, line))
        self._waiting.append((now, place))

    def take(self, now: float) -> list[Line]:
        """What is to be shown now, in order: all that has waited long enough, and what is older."""
        waiting = self._waiting
        while waiting and waiting[0][0] + self._window <= now:
            self._due = max(self._due, waiting.popleft()[1])
        taken = []
        while self._heap and self._heap[0][:2] <= self._due:
            taken.append(heappop(self._heap)[2])
        return taken

    def wait(self, now: float) -> float | None:
        """How long nothing will be due, in seconds; None while there is nothing at all."""
        return max(0.0, self._waiting[0][0] + self._window - now) if self._waiting else None


class Follower:
    """Follows the journals of `logs`, each from behind its cursor in `after`.

    `timeout` is how long a node may stay silent when it is asked whether it is back, in seconds.
    """

    def __init__(
        self,
        logs: Sequence[NodeLog],
        query: JournalQuery,
        after: Mapping[str, str],
        *,
        timeout: float,
    ) -> None:
        self._query = msgspec.structs.replace(query, follow=True, lines=None)
        self._timeout = timeout
        self._came: Queue[Line | Notice | Exception] = Queue(_WAITING_MOST)
        self._stopped = Event()
        self._streams: dict[str, JournalStream] = {}
        self._open = len(logs)
        for log in logs:
            cursor = after.get(log.link.node)
            Thread(target=self._follow, args=(log, cursor), daemon=True).start()

    def __iter__(self) -> Iterator[Line | Notice]:
        """Lines and notices as they come; ends only when every node failed for good."""
        reorder = Reorder(WINDOW)
        while True:
            try:
                wait = reorder.wait(time.monotonic())
                came = self._came.get(timeout=wait)
            except Empty:
                came = None
            if isinstance(came, Exception):
                raise came
            if isinstance(came, Notice):
                yield came
                self._open -= came.error is not None
            elif came is not None:
                reorder.add(came, time.monotonic())
            yield from reorder.take(time.monotonic())
            if not self._open:
                yield from reorder.take(float("inf"))
                return

    def stop(self) -> None:
        """Ends all connections of it, at once."""
        self._stopped.set()
        for stream in list(self._streams.values()):
            stream.stop()

    def _follow(self, log: NodeLog, cursor: str | None) -> None:
        try:
            self._follow_node(log, cursor)
        except Exception as error:
            # A thread has nobody above it: who reads the lines raises it.
            self._came.put(error)

    def _follow_node(self, log: NodeLog, cursor: str | None) -> None:
        node = log.link.node
        while not self._stopped.is_set():
            try:
                stream = JournalStream(log, self._query, after=cursor)
                self._streams[node] = stream
                for line in stream:
                    cursor = line.cursor
                    self._came.put(line)
                lost: NodeError = NodeUnreachable(node, "the connection ended")
            except NodeUnreachable as error:
                lost = error
            except NodeError as error:
                self._came.put(Notice(node=node, words=error.message, error=error))
                return
            except (OSError, ValueError):
                # Our own stop() closes the pipes under the reader.
                return
            if self._stopped.is_set():
                return
            self._came.put(Notice(node=node, words=f"{lost.message}; trying again"))
            if self._wait_until_back(log):
                self._came.put(Notice(node=node, words="back; going on where it broke off"))

    def _wait_until_back(self, log: NodeLog) -> bool:
        pause = 1.0
        while not self._stopped.wait(pause):
            try:
                inspect_node(log.link, (), wants_containers=False, deadline=self._timeout)
                return True
            except NodeError:
                pause = min(pause * 2, _LONGEST_PAUSE)
        return False
