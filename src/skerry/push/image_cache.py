"""What Podman said about its images, kept until its store changes: asking costs 0.1 s.

Source: containers/storage writes ``GRAPHROOT/DRIVER-images/images.json`` anew on every change of
the store; ``storage.conf`` and ``registries.conf`` decide which store it is and what short names
mean (containers-storage.conf(5), containers-registries.conf(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from skerry.compile.lock import ResolvedImage
from skerry.edge.paths import make_cache
from skerry.edge.run import Command, run

NAME = "images.json"

_SETTINGS = ("storage.conf", "registries.conf")
_SETTING_FOLDERS = ("/usr/share/containers", "/etc/containers", "~/.config/containers")
_SETTING_DROP_INS = ("/etc/containers/registries.conf.d", "~/.config/containers/registries.conf.d")
_VARIABLES = (
    "CONTAINERS_REGISTRIES_CONF", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER", "STORAGE_OPTS",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME",
)  # fmt: skip
# With one of these, images are on another machine, and no file here tells of their changes.
_REMOTE = ("CONTAINER_HOST", "CONTAINER_CONNECTION")


class Stamp(msgspec.Struct, frozen=True):
    """The state of the store and of what decides its meaning.

    `files` has inode, time of change in nanoseconds and size of each file that exists.
    """

    graph_root: str
    user: int
    variables: dict[str, str]
    files: dict[str, tuple[int, int, int]]


class Remembered(msgspec.Struct, frozen=True):
    """Podman's answers by reference at one state of its store; None where it has no such image."""

    stamp: Stamp
    images: dict[str, ResolvedImage | None]
    format: int = 2


def try_remember(cache: Path, references: Iterable[str]) -> dict[str, ResolvedImage | None] | None:
    """The answers for all references, or None when Podman has to be asked."""
    try:
        kept = msgspec.json.decode((cache / NAME).read_bytes(), type=Remembered)
    except (OSError, msgspec.DecodeError):
        # msgspec.ValidationError too: a file of another version is no answer.
        return None
    if any(os.environ.get(name) for name in _REMOTE):
        return None
    if kept.format != 2 or not all(reference in kept.images for reference in references):
        return None
    return kept.images if kept.stamp == _read_stamp(kept.stamp.graph_root) else None


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
    folders = [Path(folder).expanduser() for folder in _SETTING_FOLDERS]
    drop_ins = [Path(folder).expanduser() for folder in _SETTING_DROP_INS]
    watched = [folder / name for folder in folders for name in _SETTINGS]
    watched += [path for folder in drop_ins for path in folder.glob("*.conf")]
    watched += Path(graph_root).glob("*-images/images.json")
    files = {}
    for path in watched:
        try:
            status = path.stat()
        except OSError:
            continue
        files[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_size)
    variables = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return Stamp(graph_root, os.getuid(), variables, files)
