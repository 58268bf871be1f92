"""Why each path of a slim image is kept: written down when it is made, for `skerry image why`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from skerry.edge.paths import make_cache
from skerry.errors import UsageError

_LINKS_MOST = 40


class Reasons(msgspec.Struct, frozen=True):
    """Of the image with this id, made of `source`: each path, and why it is kept; and where the
    symbolic links among them lead to."""

    id: str
    source: str
    paths: dict[str, str]
    links: dict[str, str] = {}

    def follow(self, path: str) -> str:
        """The path with the links above it followed, though not itself."""
        above, name = posixpath.split(path)
        for _ in range(_LINKS_MOST):
            link = next((one for one in _upwards(above) if one in self.links), None)
            if link is None:
                break
            target = posixpath.join(posixpath.dirname(link), self.links[link])
            above = posixpath.normpath(target + above[len(link) :])
        return posixpath.join(above, name)


def write_reasons(cache: Path, reference: str, reasons: Reasons) -> None:
    """Keeps them in the folder `cache`."""
    make_cache(cache)
    place = cache / _name_of(reference)
    temporary = place.with_name(f".{place.name}.new")
    temporary.write_bytes(msgspec.json.encode(reasons))
    temporary.replace(place)


def read_reasons(cache: Path, reference: str) -> Reasons:
    """What was kept. Raises `UsageError` where the image was not made slim on this machine."""
    try:
        return msgspec.json.decode((cache / _name_of(reference)).read_bytes(), type=Reasons)
    except (OSError, msgspec.DecodeError):
        raise UsageError(
            f"{reference} was not made by `skerry image slim` on this machine",
            hint="`skerry image slim NAME` writes down why each path is kept",
        ) from None


def _upwards(path: str) -> Iterator[str]:
    """The path and all folders above it."""
    while path != "/":
        yield path
        path = posixpath.dirname(path)


def _name_of(reference: str) -> str:
    return f"{quote(reference, safe='')}.json"
