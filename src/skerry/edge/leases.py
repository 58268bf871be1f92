"""What a run has on its nodes: locks, which are renewed so that none becomes stale, and the node
programs that were started ahead."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread

from skerry.edge.early import Begun
from skerry.edge.exchange import exchange
from skerry.edge.fan_out import fan_out
from skerry.edge.ssh import Link
from skerry.edge.turn import Turn

# How long a lock lasts after its last renewal, in seconds; the node program says so. Two renewals
# may fail.
LEASE = 120.0
RENEW_EVERY = 35.0


class Leases:
    """The locks that a turn holds; a thread renews them for as long as the block lasts.

    A lock that cannot be renewed is left: what is done under it next says that it was lost.
    `ahead` has what was begun before it is needed; what is never needed ends with the block.
    """

    def __init__(
        self,
        turn: Turn,
        link_of: Callable[[str], Link],
        *,
        every: float = RENEW_EVERY,
        ahead: Begun | None = None,
    ) -> None:
        self._turn = turn
        self._link_of = link_of
        self._every = every
        self._names: dict[str, None] = {}
        self._guard = Lock()
        self._is_over = Event()
        self._bug: Exception | None = None
        self.ahead = ahead or Begun()

    def __enter__(self) -> Leases:
        Thread(target=self._renew, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._is_over.set()
        self.ahead.stop()
        if self._bug is not None and kind is None:
            raise self._bug

    @property
    def held(self) -> list[str]:
        """The nodes whose locks are held."""
        with self._guard:
            return list(self._names)

    def hold(self, node: str) -> None:
        """The node's lock was taken."""
        with self._guard:
            self._names[node] = None

    def let_go(self, node: str) -> None:
        """The node's lock was given back, or is somebody else's matter now."""
        with self._guard:
            self._names.pop(node, None)

    def _renew(self) -> None:
        try:
            while not self._is_over.wait(self._every):
                fan_out(self.held, self._renew_one)
        except Exception as error:
            # A thread has nobody above it; who holds the locks shall hear of it.
            self._bug = error

    def _renew_one(self, node: str) -> bool:
        exchange(self._link_of(node), "renew", {"token": self._turn.token}, deadline=20.0)
        return True
