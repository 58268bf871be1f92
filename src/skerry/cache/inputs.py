"""All that checking a cloud folder depends on, as one digest of contents."""

from __future__ import annotations

import errno
import os
import stat
import sys

try:
    # What hashlib has it from; hashlib itself loads OpenSSL, which takes as long as all the rest.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FILES = ("cloud.yaml", "cloud.lock", "secrets.yaml")
"""Files of a cloud folder that are read, as far as they are there."""
MANIFESTS = "pods"
"""The folder whose YAML files are read, whatever they are called."""
LIMIT = 8 * 1024 * 1024
"""A folder with a larger file is not remembered, in bytes; such a manifest is an error anyway."""

_VARIABLE_FOLDERS = ("group_vars", "host_vars")
# Libraries that decide what a text means.
_LIBRARIES = ("yaml", "yaml._yaml", "msgspec", "msgspec._core")
# Variables that decide where a path leads, or which library is loaded.
_VARIABLES = ("HOME", "PYTHONPATH", "XDG_RUNTIME_DIR")

Stamp = list[tuple[str, int, int]]


class Inputs:
    """What was read beside `FILES` and `MANIFESTS`.

    `files` are other manifests, relative to the cloud folder; `inventory` is an absolute path,
    or empty; `libraries` have time of change in nanoseconds and size of what was loaded.
    """

    def __init__(
        self, files: tuple[str, ...] = (), inventory: str = "", libraries: Stamp | None = None
    ) -> None:
        self.files = files
        self.inventory = inventory
        self.libraries: Stamp = libraries or []

    def to_record(self) -> list[Any]:
        """The inputs for JSON."""
        return [list(self.files), self.inventory, [list(one) for one in self.libraries]]

    @classmethod
    def from_record(cls, record: list[Any]) -> Inputs:
        """The inputs that `to_record` gave."""
        files, inventory, libraries = record
        return cls(tuple(files), inventory, [(path, time, size) for path, time, size in libraries])

    def are_read_as(self, other: Inputs) -> bool:
        """Whether the same files were read, by whatever library."""
        return (self.files, self.inventory) == (other.files, other.inventory)


def loaded_libraries() -> Stamp:
    """The libraries as this process has loaded them."""
    files = [getattr(sys.modules.get(name), "__file__", None) for name in _LIBRARIES]
    return [_stamp_of(path, os.stat(path)) for path in files if path is not None]


def try_digest_all(folder: str, inputs: Inputs, key: bytes) -> str | None:
    """A digest, keyed with `key`, of all that decides what checking the folder results in.

    Of every file it is the content that counts; of the libraries and of Skerry's own sources what
    Python itself trusts for its compiled files: time of change and size. Equal digests mean equal
    results. None where something cannot be read.
    """
    return _try_digest(_all_parts(folder, inputs), key, b"skerry inputs")


def try_digest_nodes(folder: str, inputs: Inputs, key: bytes) -> str | None:
    """The same of what decides which nodes there are, and how they are reached."""
    return _try_digest(_node_parts(folder, inputs), key, b"skerry nodes")


def try_digest_file(folder: str, name: str, key: bytes) -> str | None:
    """A digest, keyed with `key`, of one file of the folder; None where it cannot be read."""
    return _try_digest(_file_parts(os.path.join(folder, name), name), key, b"skerry file")


def _try_digest(parts: Iterator[bytes], key: bytes, use: bytes) -> str | None:
    found = blake2b(key=key, digest_size=16, person=use)
    try:
        for part in parts:
            # Each part with its length, so that no two lists of parts are the same bytes.
            found.update(b"%d:" % len(part))
            found.update(part)
    except (OSError, ValueError):
        return None
    return found.hexdigest()


def _all_parts(folder: str, inputs: Inputs) -> Iterator[bytes]:
    yield from _node_parts(folder, inputs)
    for name in FILES[1:]:
        yield from _file_parts(os.path.join(folder, name), name)
    pods = os.path.join(folder, MANIFESTS)
    # A link that leads out of the folder is an error, so it matters where links lead.
    yield from map(os.fsencode, (os.path.realpath(folder), os.path.realpath(pods)))
    if os.path.lexists(pods):
        yield from _tree_parts(pods, suffixes=(".yaml", ".yml"))
    for name in inputs.files:
        path = os.path.join(folder, name)
        yield os.fsencode(os.path.realpath(path))
        yield from _file_parts(path, name)


def _node_parts(folder: str, inputs: Inputs) -> Iterator[bytes]:
    yield repr((folder, sys.version, sys.prefix)).encode()
    yield repr([os.environ.get(name) for name in _VARIABLES]).encode()
    yield repr([_stamp_of(path, os.stat(path)) for path, _, _ in inputs.libraries]).encode()
    yield repr(inputs.to_record()).encode()
    yield from _source_parts()
    yield from _file_parts(os.path.join(folder, FILES[0]), FILES[0])
    if inputs.inventory:
        yield from _file_parts(inputs.inventory, inputs.inventory)
        for name in _VARIABLE_FOLDERS:
            beside = os.path.join(os.path.dirname(inputs.inventory), name)
            yield os.fsencode(os.path.realpath(beside))
            if os.path.isdir(beside):
                yield from _tree_parts(beside)


def _source_parts() -> Iterator[bytes]:
    """Skerry's own sources, and those of the node program."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    waiting = [os.path.join(top, "skerry"), os.path.join(top, "skerry_node")]
    found: Stamp = []
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        waiting.append(entry.path)
                else:
                    found.append(_stamp_of(entry.path, entry.stat()))
    yield repr(sorted(found)).encode()


def _tree_parts(top: str, suffixes: tuple[str, ...] = ()) -> Iterator[bytes]:
    """The files below a folder, hidden ones left out where `suffixes` are wanted."""
    waiting = [top]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            there = sorted(entries, key=lambda entry: entry.name)
        for entry in there:
            if suffixes and entry.name.startswith("."):
                continue
            if entry.is_dir():
                if not entry.is_symlink():
                    waiting.append(entry.path)
            elif not suffixes or entry.name.endswith(suffixes):
                if entry.is_symlink():
                    yield os.fsencode(os.path.realpath(entry.path))
                yield from _file_parts(entry.path, entry.path)


def _file_parts(path: str, name: str) -> Iterator[bytes]:
    yield os.fsencode(name)
    try:
        # Not waiting: a pipe of that name would never be opened.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield b"absent"
        return
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT:
            raise OSError(errno.EFBIG, "no file that is read", path)
        yield b"content"
        yield file.read(LIMIT + 1) or b""


def _stamp_of(path: str, status: os.stat_result) -> tuple[str, int, int]:
    return path, status.st_mtime_ns, status.st_size
