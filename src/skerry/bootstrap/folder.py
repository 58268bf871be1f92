"""The cloud folder's own files, changed one writer at a time and never by halves."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skerry.errors import UsageError
from skerry.load.files import write_whole


@contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Waits for and holds the folder, so that two ``node add`` at once do not lose an entry."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_text(path: Path) -> str:
    """The file's text with its line ends as they are. Raises UsageError."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def write_text(path: Path, text: str) -> None:
    """Replaces the file by rename; its mode stays, and where it is a link, the link.

    Raises UsageError where the folder cannot be written.
    """
    try:
        target = path.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        write_whole(target, text.encode(), mode=mode)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
