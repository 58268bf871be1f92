"""Folders of the operator's machine that Skerry uses (XDG Base Directory Specification)."""

from __future__ import annotations

import os
import stat

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def cache_folder() -> Path:
    """Where what can be made again is kept: ``$XDG_CACHE_HOME/skerry``."""
    from pathlib import Path

    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skerry"


def socket_folder() -> Path:
    """Where the multiplexed SSH connections have their sockets; made at need, for us alone.

    Short, because a UNIX socket's path has at most 107 bytes and ssh appends 17 of its own.
    Raises UsageError when it cannot be made, or is somebody else's: in /tmp anybody can make a
    folder or a link of that name before us.
    """
    from pathlib import Path

    from skerry.errors import UsageError

    folder = Path(socket_path())
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder}, for the sockets of ssh, cannot be made: {error.strerror}",
            hint="set XDG_RUNTIME_DIR to a folder of yours",
        ) from None
    if not is_private(str(folder)):
        raise UsageError(
            f"{folder}, for the sockets of ssh, is not a folder of yours alone (mode 0700)",
            hint="remove it if you made it; else set XDG_RUNTIME_DIR to a folder of yours",
        )
    return folder


def socket_path() -> str:
    """Where that folder is, whether it is there and ours or not."""
    return f"{os.environ.get('XDG_RUNTIME_DIR') or '/tmp'}/skerry-{os.getuid()}"


def is_private(folder: str) -> bool:
    """Whether it is a folder, and ours alone."""
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    )


def make_cache(folder: Path) -> None:
    """Makes a folder for what can be made again, for us alone: what runs where is nobody's business
    but the operator's, and a cache that others may write to is one that they may lie in.

    Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
