"""A secret value: opaque, so that nothing that shows values by chance can show it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn
from weakref import ref

_live: list[ref[SecretValue]] = []


class SecretValue:
    """Bytes that only `reveal` gives out: not repr, str, format, JSON, copy or pickle."""

    __slots__ = ("__weakref__", "_reveal")

    def __init__(self, content: bytes) -> None:
        # In a closure and not in an attribute: what walks over attributes finds a function.
        self._reveal: Callable[[], bytes] = lambda: content
        _live.append(ref(self))

    def reveal(self) -> bytes:
        """The value itself: for who encrypts it, sends it, or makes another secret of it."""
        return self._reveal()

    def __repr__(self) -> str:
        return "SecretValue(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(SecretValue)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret value is not copied, pickled or encoded")


def live_values() -> list[SecretValue]:
    """All values that this run holds: for who must make sure that a text has none of them."""
    return [value for one in _live if (value := one()) is not None]
