"""One difference between what shall be and what is."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["generation", "file", "image", "secret", "unit", "port", "env", "container"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on one node that is not as it shall be.

    `name` is the path, unit, image reference, secret, port or variable; `expected` and `actual` are
    words for people; `fix` is a command or what to do. `old` and `new` are a file's texts, the
    one on the node and the desired one, where they are text.
    """

    node: str
    workloads: tuple[str, ...]
    kind: Kind
    name: str
    expected: str
    actual: str
    fix: str
    old: str | None = None
    new: str | None = None
