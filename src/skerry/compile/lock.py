"""``cloud.lock``: what was allocated or resolved once and stays so until somebody changes it."""

from __future__ import annotations

import msgspec


class ResolvedImage(msgspec.Struct, frozen=True, kw_only=True):
    """The image that a reference means: its id (64 hexadecimal digits), size in bytes, CPU."""

    id: str
    size: int
    architecture: str = "amd64"


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """`images` by the reference that manifests use."""

    format: int = 1
    images: dict[str, ResolvedImage] = {}
