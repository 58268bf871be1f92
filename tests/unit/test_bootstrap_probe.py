"""What a host says before anything is changed, and what follows from it."""

from __future__ import annotations

import msgspec
import pytest

from skerry.bootstrap.platforms import LOW_MEMORY
from skerry.bootstrap.probe import PROBE, Host, choose_platform, parse_probe
from skerry.edge.run import Command, run
from skerry.errors import AccessRefused, NodeUnsupported

DEBIAN = """\
Welcome to the machine
skerry-probe begin
os.PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
os.VERSION_ID="13"
os.ID=debian

kernel=Linux 6.12.48
arch=x86_64
hostname=alpha
uid=0
user=root
sudo=none
init=systemd
systemd=257
cgroup=cgroup2fs
memory=489120
disk=9123456
manager=apt-get
python=python3 3.13
podman=
skerry-probe end
bye
"""
ROCKY_8 = """\
skerry-probe begin
os.NAME="Rocky Linux"
os.ID="rocky"
os.VERSION_ID="8.10"
os.PRETTY_NAME='Rocky Linux 8.10 (Green Obsidian)'
uid=1000
user=rocky
sudo=free
init=systemd
systemd=239
cgroup=tmpfs
memory=1870000
manager=dnf
python=python3 3.6
python=python3.11 3.11
podman=4.9.4-rhel
skerry-probe end
"""


def debian(**changes: object) -> Host:
    return msgspec.structs.replace(parse_probe("alpha", DEBIAN), **changes)


def test_parse_debian() -> None:
    host = parse_probe("alpha", DEBIAN)
    assert (host.os_id, host.os_version) == ("debian", "13")
    assert host.os_name == "Debian GNU/Linux 13 (trixie)"
    assert host.is_root and host.has_systemd and host.has_cgroup2
    assert host.memory == 489120 * 1024 < LOW_MEMORY
    assert host.disk_free == 9123456 * 1024
    assert (host.python, host.python_version) == ("python3", (3, 13))
    assert host.podman == ()


def test_parse_rocky_8_takes_the_python_that_is_new_enough() -> None:
    host = parse_probe("alpha", ROCKY_8)
    assert (host.python, host.python_version) == ("python3.11", (3, 11))
    assert host.podman == (4, 9)
    assert not host.is_root and host.sudo == "free" and not host.has_cgroup2
    assert host.systemd == 239


def test_an_old_python_alone_is_none() -> None:
    host = parse_probe("alpha", ROCKY_8.replace("python=python3.11 3.11\n", ""))
    assert (host.python, host.python_version) == ("", (3, 6))


def test_the_probe_runs_under_sh_and_changes_nothing() -> None:
    finished = run(Command.of("sh", "-s"), input=PROBE.encode(), timeout=30)
    host = parse_probe("alpha", finished.text)
    assert host.kernel and host.arch and host.user
    assert host.memory > 0 and host.python_version >= (3, 9)
    assert not finished.stderr


def test_supported_host() -> None:
    assert choose_platform("alpha", debian()).name == "Debian"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"os_version": "12", "os_name": "Debian GNU/Linux 12"}, "Debian GNU/Linux 12 is not"),
        ({"os_id": "", "os_version": "", "os_name": ""}, "an unknown system is not supported"),
        ({"has_systemd": False}, "not booted with systemd"),
        ({"has_cgroup2": False}, "cgroup v1"),
        ({"managers": ("dnf",)}, "has no apt-get"),
    ],
)
def test_unsupported_host(changes: dict[str, object], words: str) -> None:
    with pytest.raises(NodeUnsupported) as caught:
        choose_platform("alpha", debian(**changes))
    assert words in caught.value.message
    assert caught.value.message.endswith("; nothing was changed")
    assert caught.value.hint


def test_unsupported_says_what_is_supported() -> None:
    with pytest.raises(NodeUnsupported) as caught:
        choose_platform("alpha", debian(os_id="arch"))
    for name in ("Debian 13", "Ubuntu 24.04", "Rocky", "Alma", "8.10", "Fedora"):
        assert name in caught.value.hint


def test_red_hat_8_with_cgroup_v1_says_how_to_change_it() -> None:
    with pytest.raises(NodeUnsupported) as caught:
        choose_platform("alpha", parse_probe("alpha", ROCKY_8))
    assert "grubby" in caught.value.hint


@pytest.mark.parametrize(
    ("is_root", "sudo", "has_password", "is_fine"),
    [
        (True, "none", False, True),
        (False, "free", False, True),
        (False, "password", True, True),
        (False, "password", False, False),
        (False, "none", False, False),
        (False, "none", True, False),
    ],
)
def test_who_becomes_root(*, is_root: bool, sudo: str, has_password: bool, is_fine: bool) -> None:
    host = debian(is_root=is_root, sudo=sudo, user="debian")
    if is_fine:
        assert choose_platform("alpha", host, has_password=has_password)
    else:
        with pytest.raises(AccessRefused, match="debian"):
            choose_platform("alpha", host, has_password=has_password)
