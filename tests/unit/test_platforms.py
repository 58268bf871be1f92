"""Which systems can be nodes, and what they call what a node needs."""

from __future__ import annotations

from itertools import pairwise

import pytest

from skerry.bootstrap.platforms import RELEASES, Platform, parse_version, try_platform

PLATFORMS = [
    ("debian", "13", "apt", "python3", "ssh.service"),
    ("debian", "13.2", "apt", "python3", "ssh.service"),
    ("ubuntu", "24.04", "apt", "python3", "ssh.service"),
    ("ubuntu", "24.10", "apt", "python3", "ssh.service"),
    ("ubuntu", "25.10", "apt", "python3", "ssh.service"),
    ("ubuntu", "26.04", "apt", "python3", "ssh.service"),
    ("rhel", "8.10", "dnf", "python3.11", "sshd.service"),
    ("rocky", "8.10", "dnf", "python3.11", "sshd.service"),
    ("almalinux", "8.10", "dnf", "python3.11", "sshd.service"),
    ("rhel", "9.0", "dnf", "python3", "sshd.service"),
    ("rocky", "9.6", "dnf", "python3", "sshd.service"),
    ("almalinux", "10.0", "dnf", "python3", "sshd.service"),
    ("rhel", "10.1", "dnf", "python3", "sshd.service"),
    ("fedora", "38", "dnf", "python3", "sshd.service"),
    ("fedora", "43", "dnf", "python3", "sshd.service"),
]
UNSUPPORTED = [
    ("debian", "12"),
    ("debian", "14"),
    ("debian", ""),
    ("ubuntu", "22.04"),
    ("ubuntu", "23.10"),
    ("rocky", "8.9"),
    ("rhel", "7.9"),
    ("rhel", "11.0"),
    ("centos", "9"),
    ("fedora", "37"),
    ("fedora", "rawhide"),
    ("arch", ""),
    ("alpine", "3.20"),
    ("", ""),
]


def platforms() -> list[Platform]:
    return [release.platform for release in RELEASES]


@pytest.mark.parametrize(("os_id", "version", "manager", "python", "unit"), PLATFORMS)
def test_supported(*, os_id: str, version: str, manager: str, python: str, unit: str) -> None:
    platform = try_platform(os_id, version)
    assert platform is not None
    assert (platform.manager, platform.python) == (manager, python)
    assert platform.ssh_unit == unit


@pytest.mark.parametrize(("os_id", "version"), UNSUPPORTED)
def test_unsupported(os_id: str, version: str) -> None:
    assert try_platform(os_id, version) is None


@pytest.mark.parametrize("platform", platforms(), ids=lambda platform: platform.name)
def test_every_platform_has_what_a_node_needs(platform: Platform) -> None:
    needed = {"podman", "crun", "nftables", "zstd", "sudo", "netavark", "aardvark-dns", "catatonit"}
    assert needed <= set(platform.packages)
    assert platform.python in platform.packages
    deltas = {"xdelta", "xdelta3"} & {*platform.packages, *platform.optional}
    assert len(deltas) == 1
    assert not set(platform.packages) & set(platform.optional)
    assert len(set(platform.packages)) == len(platform.packages)


def test_no_two_releases_overlap() -> None:
    for os_id in ("debian", "ubuntu", "rhel", "rocky", "almalinux", "fedora"):
        own = sorted(
            (release for release in RELEASES if os_id in release.ids),
            key=lambda release: release.first,
        )
        for earlier, later in pairwise(own):
            assert earlier.before is not None
            assert earlier.before <= later.first


def test_ubuntu_with_the_old_netavark_gets_iptables() -> None:
    old, new = try_platform("ubuntu", "24.04"), try_platform("ubuntu", "25.04")
    assert old is not None and new is not None
    assert "iptables" in old.packages and "iptables" not in new.packages


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("8.10", (8, 10)),
        ("13", (13,)),
        ("24.04", (24, 4)),
        ("rawhide", ()),
        ("", ()),
        ("9.x", (9,)),
    ],
)
def test_parse_version(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version
