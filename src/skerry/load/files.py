"""Files of the cloud folder as bytes: reading one ends, and soon; writing one is whole or not."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

MAX_FILE_BYTES = 8 * 1024 * 1024


class FileFault(Exception):
    """A file that is not read; the message says why."""


def read_limited(path: Path) -> bytes:
    """The file's content. Raises FileNotFoundError, and `FileFault` for all else that is wrong.

    What is no regular file (a pipe, a device, a socket) would not end or never begin, so it is
    not read.
    """
    try:
        # Without it, opening a pipe waits for who writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FileFault(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise FileFault("is not a path") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise FileFault("is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise FileFault("is not a regular file, but a pipe, a device or a socket: not read")
        parts: list[bytes] = []
        left = MAX_FILE_BYTES + 1
        while left and (part := os.read(descriptor, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
    except OSError as error:
        raise FileFault(f"cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if not left:
        raise FileFault(f"is larger than {MAX_FILE_BYTES >> 20} MiB: not read")
    return b"".join(parts)


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replaces the file by rename, with that mode or the one that the umask gives.

    Raises OSError; the old file is whole then, and alone.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            # A machine that dies now has the old file or the new one, and none without content.
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
