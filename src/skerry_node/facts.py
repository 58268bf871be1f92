"""What kind of machine the node is and how full, read from files wherever there is one."""

from __future__ import annotations

import os
import time

from skerry_node.cache import keep, key_of, try_recall
from skerry_node.fault import NodeFault
from skerry_node.host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from skerry_node.host import Emit

_PODMAN = "/usr/bin/podman"
_SYSTEMCTL = "/usr/bin/systemctl"
# What probes look with.
_PROGRAMS = ("bash", "curl", "ip", "nsenter")
_PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_SUBORDINATE_FILES = ("/etc/subuid", "/etc/subgid")


def run_facts(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """The op ``facts``."""
    return read_facts(host or Host())


def run_ping(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """The op ``ping``: the node answers."""
    return {"time": time.time()}


def read_facts(host: Host) -> Dict[str, Any]:
    """The node's facts. Sizes are in bytes, times in seconds.

    ``disk_*`` are of the file system of /var/lib; ``container_users`` says whether there are
    subordinate ids for user namespaces, ``programs`` what there is of those that probes need; a
    version is None where the program is not installed.
    ``address`` is that which others are met with, empty without a way out, and
    ``memory_pods`` what the units of workloads hold and cannot give back; 0 where nobody counts.
    """
    release, memory = _read_release(host), _read_memory()
    disk, system = os.statvfs(host.path("/var/lib")), os.uname()
    return {
        "hostname": system.nodename,
        "address": _own_address(),
        "os_id": release.get("ID", ""),
        "os_version": release.get("VERSION_ID", ""),
        "os_name": release.get("PRETTY_NAME", ""),
        "kernel": system.release,
        "architecture": system.machine,
        "cpus": os.cpu_count() or 1,
        "memory_total": memory.get("MemTotal", 0),
        "memory_available": memory.get("MemAvailable", 0),
        "memory_pods": _read_pods_memory(host),
        "swap_total": memory.get("SwapTotal", 0),
        "disk_total": disk.f_blocks * disk.f_frsize,
        "disk_free": disk.f_bavail * disk.f_frsize,
        "podman_version": try_version_of(host, _PODMAN),
        "systemd_version": try_version_of(host, _SYSTEMCTL),
        "programs": _present_programs(host),
        "container_users": _has_container_users(host),
        "boot_id": host.boot_id(),
        "uptime": round(host.uptime(), 3),
        "time": time.time(),
    }


def _own_address() -> str:
    """The address that packets to the world begin with, IPv4 before IPv6.

    A datagram socket that is connected sends nothing: it only asks the routes (udp(7)). The
    addresses are those of documentation (RFC 5737, RFC 3849).
    """
    # What the module socket is made of: that takes 15 ms to import, and this is all that is wanted.
    import _socket

    for family, world in ((_socket.AF_INET, "192.0.2.1"), (_socket.AF_INET6, "2001:db8::1")):
        try:
            asked = _socket.socket(family, _socket.SOCK_DGRAM)
        except OSError:
            continue
        try:
            asked.connect((world, 9))
            return str(asked.getsockname()[0])
        except OSError:
            continue
        finally:
            asked.close()
    return ""


def try_version_of(host: Host, program: str) -> Optional[str]:
    """The number that ``PROGRAM --version`` prints first; None where it is not installed."""
    path = host.path(program)
    if not os.path.exists(path):
        return None
    name, key = "version-" + os.path.basename(program), key_of([path])
    known: Optional[str] = try_recall(host, name, key)
    if known is not None:
        return known
    try:
        words = host.commands.run(program, "--version", deadline=10.0).text.split()
    except NodeFault:
        return None
    version = next((word for word in words if word[:1].isdigit()), None)
    if version is not None:
        keep(host, name, key, version)
    return version


def _read_release(host: Host) -> Dict[str, str]:
    """``/etc/os-release`` (os-release(5))."""
    found = {}
    try:
        with open(host.path("/etc/os-release"), encoding="utf-8") as file:
            for line in file:
                key, equals, value = line.strip().partition("=")
                if equals:
                    found[key] = value.strip("\"'")
    except FileNotFoundError:
        return {}
    return found


def _read_memory() -> Dict[str, int]:
    """``/proc/meminfo`` in bytes (proc(5) counts in KiB)."""
    found = {}
    with open("/proc/meminfo") as file:
        for line in file:
            words = line.split()
            found[words[0].rstrip(":")] = int(words[1]) * 1024
    return found


def _read_pods_memory(host: Host) -> int:
    """Memory that is neither file cache nor free, of all units of workloads (cgroup v2).

    Containers lie in the root slice, what only runs for a moment in that of the system.
    """
    total = 0
    for folder in map(host.path, ("/sys/fs/cgroup", "/sys/fs/cgroup/system.slice")):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.startswith("skerry-"):
                total += _read_memory_of(os.path.join(folder, name))
    return total


def _read_memory_of(folder: str) -> int:
    try:
        with open(os.path.join(folder, "memory.stat")) as file:
            counts = dict(line.split() for line in file)
    except OSError:
        return 0
    return sum(int(counts.get(key, 0)) for key in ("anon", "kernel"))


def _present_programs(host: Host) -> List[str]:
    return [
        name
        for name in _PROGRAMS
        if any(os.path.exists(host.path(folder + "/" + name)) for folder in _PROGRAM_FOLDERS)
    ]


def _has_container_users(host: Host) -> bool:
    for name in _SUBORDINATE_FILES:
        try:
            with open(host.path(name)) as file:
                if not any(line.startswith("containers:") for line in file):
                    return False
        except FileNotFoundError:
            return False
    return True
