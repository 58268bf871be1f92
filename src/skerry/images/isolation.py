"""How ``podman build`` separates the commands that it runs, on this machine."""

from __future__ import annotations

import os
from pathlib import Path

_CAP_SYS_RESOURCE = 24


def read_isolation() -> tuple[str, ...]:
    """The options for ``podman build``; none where its own default works."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return ()
    return isolation_options(status, user=os.geteuid(), chosen=os.environ.get("BUILDAH_ISOLATION"))


def isolation_options(status: str, *, user: int, chosen: str | None) -> tuple[str, ...]:
    """The options, from the text of /proc/self/status and the user's number.

    Root without CAP_SYS_RESOURCE (in many CI machines) cannot set the limits that an OCI runtime
    gives a container; a chroot needs none. What the user has `chosen` by BUILDAH_ISOLATION stays.
    """
    if chosen or user != 0:
        return ()
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            has_resource = int(value, 16) >> _CAP_SYS_RESOURCE & 1
            return () if has_resource else ("--isolation", "chroot")
    return ()
