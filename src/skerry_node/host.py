"""The machine that the node program is on: its paths, commands and clocks."""

from __future__ import annotations

import fcntl
import os
import time

from skerry_node.basics import STATE_FOLDER
from skerry_node.commands import Commands
from skerry_node.durable import make_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

    Emit = Callable[[Dict[str, Any]], None]

RUN_FOLDER = "/run/skerry"


class Host:
    """`root` is put before every path: a test's folder stands in for ``/``."""

    def __init__(self, root: str = "", commands: Optional[Commands] = None) -> None:
        self.root = root
        self.commands = commands if commands is not None else Commands()
        self.state = root + STATE_FOLDER
        self.volatile = root + RUN_FOLDER

    def path(self, path: str) -> str:
        """Where a path of the node is on this machine."""
        return self.root + path

    def state_path(self, *names: str) -> str:
        """A path below the state folder."""
        return os.path.join(self.state, *names)

    def volatile_path(self, name: str) -> str:
        """A path in a folder that a reboot empties; the folder is made."""
        make_folder(self.volatile)
        if os.stat(self.volatile).st_mode & 0o077:
            # After a boot, the first pod's unit has made it.
            os.chmod(self.volatile, 0o700)
        return os.path.join(self.volatile, name)

    def boot_id(self) -> str:
        """Another value after each boot."""
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()

    def uptime(self) -> float:
        """Seconds since boot, suspended time included; no wall clock can set it back."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class FileLock:
    """An exclusive lock on a file, given back by the kernel when its holder dies."""

    def __init__(self, path: str) -> None:
        make_folder(os.path.dirname(path))
        # For reading: the disk may have become read-only.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)

    def acquire(self) -> FileLock:
        """Waits until the lock is free and takes it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        return self

    def try_acquire(self) -> bool:
        """Takes the lock if it is free."""
        return self._try(fcntl.LOCK_EX)

    def is_free(self) -> bool:
        """Whether nobody holds it. Looks do not stand in each other's way, but in that of a
        holder to be: who wants the lock tries more than once."""
        found = self._try(fcntl.LOCK_SH)
        if found:
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        return found

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self.descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Gives the lock back."""
        os.close(self.descriptor)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
