"""Files that are whole or not there at all, also after the power failed."""

from __future__ import annotations

import json
import os

from skerry_node.basics import dump
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


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
    temporary = stage(path, content, mode)
    os.rename(temporary, path)
    sync_folder(os.path.dirname(path))


def stage(path: str, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> str:
    """Writes the content beside `path` and syncs it; returns the temporary path, to be renamed."""
    temporary = temporary_of(path)
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if uid >= 0:
            os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    except OSError as error:
        os.close(descriptor)
        os.unlink(temporary)
        error.filename = error.filename or path
        raise
    os.close(descriptor)
    return temporary


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


def try_read_json(path: str) -> Optional[Any]:
    """A JSON file's value; None where there is no such file. Raises NodeFault if it is damaged."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise NodeFault(
            "state-damaged",
            "%s is damaged: %s" % (path, error),
            hint="the disk may be failing; a backup of that file, or `skerry node reset`, helps",
        ) from None
