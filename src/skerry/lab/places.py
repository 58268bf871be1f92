"""Where a lab keeps its things, and the names by which the kernel knows them.

All of it follows from the lab's name and its state folder, so a lab is found again after its
processes, its mounts or even its records are gone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from skerry.errors import LabError


class Places(msgspec.Struct, frozen=True):
    """The folders and kernel names of one lab."""

    name: str
    state: Path
    """Everything about this lab; removed with it."""
    cache: Path
    """Root file systems and packages, shared by all labs of this user."""
    key: str
    """The lab's name in the kernel's name spaces: distinct for each state folder."""

    @classmethod
    def of(cls, name: str) -> Places:
        """The places of the lab `name`. Raises `LabError` for a name that cannot be one."""
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", name):
            raise LabError(
                f"{name!r} cannot be a lab's name",
                hint="use up to 32 lower-case letters, digits and dashes",
            )
        state = state_home() / name
        digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:6]
        return cls(name, state, cache_home(), f"{name}-{digest}")

    @property
    def namespace(self) -> str:
        """The network namespace's name, as in `ip netns`."""
        return self.namespace_path.name

    @property
    def namespace_path(self) -> Path:
        """The file that holds the network namespace."""
        return namespace_of(self.key)

    @property
    def record(self) -> Path:
        return self.state / "lab.json"

    @property
    def ssh_config(self) -> Path:
        return self.state / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    @property
    def lock(self) -> Path:
        """The lock of whoever builds up or takes down the lab; not in the folder that goes."""
        return self.cache / "locks" / self.key

    @property
    def ssh_key(self) -> Path:
        return self.state / "id_ed25519"

    @property
    def logs(self) -> Path:
        return self.state / "logs"


def namespace_of(key: str) -> Path:
    """The file that holds the network namespace of the lab with this key while it is up."""
    return Path("/run/netns") / f"skerry-{key}"


def has_namespace(key: str) -> bool:
    """Whether the network namespace of the lab with this key is there: the lab is up."""
    # Not Path.is_mount(): that is always False for a file. A file without a mount on it is what
    # a reboot of this computer left where /run is not in memory.
    return os.path.ismount(namespace_of(key))


def state_home() -> Path:
    """The folder with one folder per lab."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "skerry" / "lab"


def cache_home() -> Path:
    """The folder of what is shared by labs and can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "skerry" / "lab"


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Holds the file lock `lock`, waiting for whoever has it; the kernel frees it with us."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Its last holder may have removed it: then what we hold is nobody's lock.
            if _is_same(file.fileno(), lock):
                yield
                return


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
