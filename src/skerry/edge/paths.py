"""Folders of the operator's machine that Skerry uses (XDG Base Directory Specification)."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where what can be made again is kept: ``$XDG_CACHE_HOME/skerry``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skerry"


def socket_folder() -> Path:
    """Where the multiplexed SSH connections have their sockets; made at need, for us alone.

    Short, because a UNIX socket's path has at most 107 bytes and ssh appends 17 of its own.
    Raises PermissionError when somebody else owns the folder.
    """
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / f"skerry-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} must belong to you alone (mode 0700)")
    return folder
