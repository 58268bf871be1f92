"""What Podman said about its images, kept until its store changes: asking costs 0.1 s."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from skerry.cache.store import is_local, read_files, read_variables
from skerry.compile.lock import ResolvedImage
from skerry.edge.paths import make_cache
from skerry.edge.run import Command, run

NAME = "images.json"


class Stamp(msgspec.Struct, frozen=True):
    """The state of the store and of what decides its meaning.

    `files` has inode, time of change in nanoseconds and size of each file that exists.
    """

    graph_root: str
    user: int
    variables: dict[str, str]
    files: dict[str, tuple[int, int, int]]

    def to_state(self) -> list[object]:
        """The same as `skerry.cache.store.state_of` has it."""
        files = {path: list(status) for path, status in self.files.items()}
        return [self.graph_root, self.user, self.variables, files]


class Remembered(msgspec.Struct, frozen=True):
    """Podman's answers by reference at one state of its store; None where it has no such image."""

    stamp: Stamp
    images: dict[str, ResolvedImage | None]
    format: int = 2


def try_remember(cache: Path, references: Iterable[str]) -> dict[str, ResolvedImage | None] | None:
    """The answers for all references, or None when Podman has to be asked."""
    kept = _try_read(cache, references)
    return kept.images if kept is not None else None


def try_find_stamp(cache: Path, images: Mapping[str, ResolvedImage]) -> Stamp | None:
    """The state of the store, which has these images or does not know them; None where that is
    not remembered."""
    kept = _try_read(cache, images)
    if kept is None or any(kept.images[name] not in (None, one) for name, one in images.items()):
        return None
    return kept.stamp


def _try_read(cache: Path, references: Iterable[str]) -> Remembered | None:
    """What was kept, if it is about these references and the store is as it was then."""
    try:
        kept = msgspec.json.decode((cache / NAME).read_bytes(), type=Remembered)
    except (OSError, msgspec.DecodeError):
        # msgspec.ValidationError too: a file of another version is no answer.
        return None
    if not is_local():
        return None
    if kept.format != 2 or not all(reference in kept.images for reference in references):
        return None
    return kept if kept.stamp == _read_stamp(kept.stamp.graph_root) else None


def read_stamp() -> Stamp:
    """The state of the store now; asks Podman where the store is. Raises `CommandMissing`."""
    asked = run(Command.of("podman", "info", "--format", "{{.Store.GraphRoot}}"))
    return _read_stamp(asked.text)


def write_answers(cache: Path, stamp: Stamp, images: Mapping[str, ResolvedImage | None]) -> None:
    """Keeps Podman's answers; `stamp` was read before Podman was asked."""
    kept = Remembered(stamp, dict(sorted(images.items())))
    # Always the same, so that what a run left that was killed is written over.
    temporary = cache / f".{NAME}.new"
    try:
        make_cache(cache)
        temporary.write_bytes(msgspec.json.encode(kept))
        temporary.replace(cache / NAME)
    except OSError:
        # A folder that may not be written (or is full) costs the time of asking again, no more.
        with suppress(OSError):
            temporary.unlink()


def _read_stamp(graph_root: str) -> Stamp:
    return Stamp(graph_root, os.getuid(), read_variables(), read_files(graph_root))
