"""What kind of machine the lab runs on: what it has, what it lacks, what to install."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import LabError

# A program the lab calls -> the Debian package that has it.
PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "mkfs.btrfs": "btrfs-progs",
    "socat": "socat",
    "tinyproxy": "tinyproxy-bin",
    "nft": "nftables",
    "ip": "iproute2",
    "sysctl": "procps",
    "nsenter": "util-linux",
    "losetup": "mount",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
}
CAP_SYS_RESOURCE = 24
ENOUGH_WATCHES = 2048
_WATCHES = Path("/proc/sys/fs/inotify/max_user_instances")


class Host(msgspec.Struct, frozen=True):
    """Facts about this machine on which the lab's ways depend."""

    cgroups: Path
    """Where the cgroup v2 tree is mounted."""
    is_systemd: bool
    """PID 1 is systemd: cgroups are asked of it, not made beside it."""
    has_btrfs: bool
    has_pids_controller: bool
    """Without it (cgroup v1 has the controllers) no node can limit its processes."""
    may_raise_limits: bool
    """CAP_SYS_RESOURCE may be had: resource limits can be raised at will."""
    open_files: tuple[int, int]
    processes: tuple[int, int]
    """Resource limits, soft and hard, that the nodes' processes start with; -1 is none."""


def inspect_host() -> Host:
    """Looks at this machine. Raises `LabError` where no cgroup v2 tree is mounted."""
    cgroups = _read_cgroup_mount()
    controllers = (cgroups / "cgroup.controllers").read_text().split()
    return Host(
        cgroups=cgroups,
        is_systemd=Path("/run/systemd/system").is_dir(),
        has_btrfs=_has_btrfs(),
        has_pids_controller="pids" in controllers,
        may_raise_limits=_has_bounding_capability(CAP_SYS_RESOURCE),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE),
        processes=resource.getrlimit(resource.RLIMIT_NPROC),
    )


def require_lab_host() -> None:
    """Raises `LabError` unless we are root and every program that the lab calls is there."""
    require_root()
    missing = sorted({package for name, package in PACKAGES.items() if shutil.which(name) is None})
    if missing:
        raise LabError(
            f"the lab needs {len(missing)} package{'s' if len(missing) > 1 else ''} more",
            hint=f"apt-get install --no-install-recommends {' '.join(missing)}",
        )


def require_root() -> None:
    """Raises `LabError` unless we are root: namespaces, mounts and cgroups are root's."""
    if os.geteuid() != 0:
        raise LabError(
            "the lab makes namespaces, mounts and cgroups, and you are not root",
            hint="run the same command with sudo",
        )


def raise_watch_limit() -> int | None:
    """Raises the number of inotify instances that root may have, if it is low.

    Each node takes about six, systemd's and those of its services, and all nodes of all labs
    are root to this kernel: at the usual 128 the twentieth node boots with failed units. Returns
    the new limit, or None where it was enough or cannot be changed. It lasts until a reboot.
    """
    if int(_WATCHES.read_text()) >= ENOUGH_WATCHES:
        return None
    try:
        _WATCHES.write_text(str(ENOUGH_WATCHES))
    except OSError:
        return None
    return ENOUGH_WATCHES


def _read_cgroup_mount() -> Path:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise LabError(
        "no cgroup v2 tree is mounted on this machine",
        hint="mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified (or where there is room)",
    )


def _has_btrfs() -> bool:
    def is_known() -> bool:
        return "\tbtrfs\n" in Path("/proc/filesystems").read_text()

    if not is_known() and shutil.which("modprobe"):
        run(Command.of("modprobe", "-q", "btrfs"), check=False)
    return is_known()


def _has_bounding_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False
