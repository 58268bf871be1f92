"""Which systems can be nodes, and what each of them calls what a node needs: data, no code paths.

Sources: the package lists of the distributions. A package that a distribution has only in an
additional repository is `optional`: it is installed where it is to be had.
"""

from __future__ import annotations

import msgspec

# Below this, a node gets compressed swap, in bytes: a rented "1 GB" shows a little less.
LOW_MEMORY = 1 << 30
# Podman that knows Quadlet; several containers in one pod need 5.0.
PODMAN_MINIMUM = (4, 4)
PYTHON_MINIMUM = (3, 9)

Version = tuple[int, ...]


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What a node needs, in the words of one distribution's release.

    `manager` is ``apt`` or ``dnf``. `packages` are installed without what they merely recommend,
    `optional` ones where a repository has them. `python` is the package that brings a
    Python >= 3.9. `zram` is the package for compressed swap, if there is one. `ssh_unit` is
    the unit that is reloaded when sshd's configuration changes. `cgroup_hint` says how to get
    cgroup v2 where it is not the default. `idle_units` are turned off: they came with Podman and
    would stay in memory for a use that Skerry never makes.
    """

    name: str
    manager: str
    python: str
    packages: tuple[str, ...]
    optional: tuple[str, ...] = ()
    zram: str | None = None
    ssh_unit: str = "sshd.service"
    idle_units: tuple[str, ...] = (
        "netavark-dhcp-proxy.service",
        "netavark-firewalld-reload.service",
    )
    cgroup_hint: str = "boot with systemd.unified_cgroup_hierarchy=1"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table: versions from `first` up to but not including `before`."""

    ids: tuple[str, ...]
    first: Version
    before: Version | None
    shown: str
    platform: Platform


# netavark, aardvark-dns and catatonit are what Podman merely recommends, yet a bridge network,
# names on it, and a pod of several containers need them.
_DEBIAN_PACKAGES = (
    "podman",
    "crun",
    "netavark",
    "aardvark-dns",
    "catatonit",
    "uidmap",
    "nftables",
    # Probes look with them.
    "curl",
    "iproute2",
    "python3",
    "xdelta3",
    "zstd",
    "sudo",
)
_DEBIAN = Platform(
    name="Debian",
    manager="apt",
    python="python3",
    packages=_DEBIAN_PACKAGES,
    zram="systemd-zram-generator",
    ssh_unit="ssh.service",
)
_UBUNTU = msgspec.structs.replace(_DEBIAN, name="Ubuntu")
# Its netavark (1.4) sets packet filters through the command iptables.
_UBUNTU_2404 = msgspec.structs.replace(_UBUNTU, packages=(*_DEBIAN_PACKAGES, "iptables"))

_RED_HAT_PACKAGES = (
    "podman",
    "crun",
    "netavark",
    "aardvark-dns",
    "catatonit",
    "nftables",
    # Probes look with it. curl, or curl-minimal which excludes it, is part of every system.
    "iproute",
    "zstd",
    "sudo",
)
# xdelta is in EPEL only: without it an image is sent whole.
_RED_HAT = Platform(
    name="Red Hat",
    manager="dnf",
    python="python3",
    packages=(*_RED_HAT_PACKAGES, "python3"),
    optional=("xdelta",),
    zram="zram-generator",
)
_RED_HAT_8 = msgspec.structs.replace(
    _RED_HAT,
    # The system's own Python is 3.6.
    python="python3.11",
    packages=(*_RED_HAT_PACKAGES, "python3.11"),
    zram=None,
    cgroup_hint="sudo grubby --update-kernel=ALL --args=systemd.unified_cgroup_hierarchy=1 "
    "&& sudo reboot",
)
_FEDORA = msgspec.structs.replace(
    _RED_HAT, name="Fedora", packages=(*_RED_HAT_PACKAGES, "python3", "xdelta"), optional=()
)

_REBUILDS = ("rhel", "rocky", "almalinux")
RELEASES = (
    Release(ids=("debian",), first=(13,), before=(14,), shown="Debian 13", platform=_DEBIAN),
    Release(
        ids=("ubuntu",), first=(24, 4), before=(25,), shown="Ubuntu 24.04", platform=_UBUNTU_2404
    ),
    Release(
        ids=("ubuntu",), first=(25,), before=None, shown="Ubuntu 24.04 or later", platform=_UBUNTU
    ),
    Release(
        ids=_REBUILDS,
        first=(8, 10),
        before=(9,),
        shown="RHEL, Rocky, Alma 8.10",
        platform=_RED_HAT_8,
    ),
    Release(
        ids=_REBUILDS,
        first=(9,),
        before=(11,),
        shown="RHEL, Rocky, Alma 9 and 10",
        platform=_RED_HAT,
    ),
    # 38 is the first with Podman 4.4 or later.
    Release(ids=("fedora",), first=(38,), before=None, shown="Fedora", platform=_FEDORA),
)
SUPPORTED = "Debian 13, Ubuntu 24.04 or later, RHEL/Rocky/Alma 8.10, 9 and 10, Fedora"


def parse_version(text: str) -> Version:
    """``8.10`` as (8, 10); what is not a number ends it, so that ``rawhide`` is ()."""
    numbers = []
    for word in text.split("."):
        if not (word.isascii() and word.isdecimal() and len(word) < 10):
            break
        numbers.append(int(word))
    return tuple(numbers)


def try_platform(os_id: str, version: str) -> Platform | None:
    """The platform of an ``ID`` and ``VERSION_ID`` of os-release(5), None if not supported."""
    number = parse_version(version)
    for release in RELEASES:
        is_before = release.before is None or number < release.before
        if os_id in release.ids and release.first <= number and is_before:
            return release.platform
    return None
