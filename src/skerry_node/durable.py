"""Files that are whole or not there at all, also after the power failed."""

from __future__ import annotations

import os

from skerry_node.basics import dump
from skerry_node.fault import NodeFault
from skerry_node.quick_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Iterator, Optional

CHUNK = 1 << 18


def make_folder(path: str, mode: int = 0o700) -> None:
    """Makes a folder and those above it that are missing; what is there stays as it is."""
    if os.path.isdir(path):
        return
    make_folder(os.path.dirname(path), mode)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    os.chmod(path, mode)


def write_durable(path: str, content: bytes, mode: int = 0o600) -> None:
    """Replaces a file by rename; when this returns, it is on the disk."""
    replace(path, (content,), mode)
    sync_folder(os.path.dirname(path))


def replace(path: str, chunks: Iterable[bytes], mode: int = 0o600) -> None:
    """Replaces a file by rename; that lasts when its folder is synced."""
    temporary = stage(path, chunks, mode)
    try:
        os.rename(temporary, path)
    except OSError:
        try_unlink(temporary)
        raise


def read_chunks(path: str) -> Iterator[bytes]:
    """A file's content piece by piece: it may be larger than the memory that we want to take."""
    with open(path, "rb") as file:
        while True:
            chunk = file.read(CHUNK)
            if not chunk:
                return
            yield chunk


def stage(path: str, chunks: Iterable[bytes], mode: int, uid: int = -1, gid: int = -1) -> str:
    """Writes the content beside `path` and syncs it; returns the temporary path, to be renamed."""
    temporary = temporary_of(path)
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        if uid >= 0:
            os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    except BaseException as error:
        os.close(descriptor)
        try_unlink(temporary)
        if isinstance(error, OSError):
            error.filename = error.filename or path
        raise
    os.close(descriptor)
    return temporary


def try_unlink(path: str) -> None:
    """Removes a file where that is possible: what is wrong was said already, or is of no matter."""
    try:
        os.unlink(path)
    except OSError:
        return


def temporary_of(path: str) -> str:
    """Where a file's new content lies until it is renamed.

    The name is always the same, so that what a crash left is found again; it starts with a dot
    and has a suffix of its own, so that systemd and Quadlet pass over it.
    """
    folder, name = os.path.split(path)
    return os.path.join(folder, ".%s.skerry-new" % name)


def sync_folder(path: str) -> None:
    """Makes renames and removals in a folder last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_durable(path: str) -> None:
    """Removes a file; one that is not there is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_folder(os.path.dirname(path))


def write_json(path: str, value: Any) -> None:
    """Replaces a JSON file, durably."""
    write_durable(path, dump(value) + b"\n")


def try_read_json(path: str, shape: Any = object) -> Optional[Any]:
    """A JSON file's value; None where there is no such file.

    Raises NodeFault if it is damaged or `has_shape` says that it is something else.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        raise damaged(path, "a folder is there") from None
    try:
        value = loads(content)
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error) if content else "it is empty") from None
    if not has_shape(value, shape):
        raise damaged(path, "it holds something else")
    return value


def damaged(path: str, why: str, hint: str = "") -> NodeFault:
    """The fault when a file of ours is not what we wrote."""
    return NodeFault(
        "state-damaged",
        "%s is damaged: %s" % (path, why),
        hint or "the disk may be failing; a backup of that file, or `skerry node reset`, helps",
    )


def has_shape(value: Any, shape: Any) -> bool:
    """Whether a JSON value is as `shape` says.

    A shape is a type or types; a list of one shape; ``{"": shape}`` for a dict of such values;
    or a dict of the keys that must be there (those that end with ``?`` may be missing).
    """
    if isinstance(shape, list):
        return isinstance(value, list) and all(has_shape(one, shape[0]) for one in value)
    if not isinstance(shape, dict):
        return isinstance(value, shape)
    if not isinstance(value, dict):
        return False
    if "" in shape:
        return all(has_shape(one, shape[""]) for one in value.values())
    return all(
        has_shape(value[key.rstrip("?")], one) if key.rstrip("?") in value else key[-1] == "?"
        for key, one in shape.items()
    )
