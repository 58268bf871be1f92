"""Podman in lab nodes: containers in user namespaces of their own, on whatever kind of host."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection

import pytest
from tests.live.lab_harness import ssh, wait_until

from skerry.lab import Lab

# A Debian package becomes an image: no registry, and the node's apt is tried on the way.
_IMAGE = r"""
set -eu
apt-get -y -qq install busybox-static >/dev/null
root=$(mktemp -d); mkdir -p $root/bin $root/www $root/tmp; cp /bin/busybox $root/bin/
for name in sh true cat httpd sleep; do ln -s busybox $root/bin/$name; done
echo hello from the lab >$root/www/index.html
tar -C $root -c . | podman import -q - localhost/busybox
for file in subuid subgid; do echo containers:2147483647:2147483648 >>/etc/$file; done
"""
_UNIT = """
[Container]
Image=localhost/busybox
Exec=/bin/httpd -f -p 80 -h /www
UserNS=auto
PublishPort=8080:80
Volume=/srv/secret:/www/secret:ro,idmap
StopSignal=SIGKILL

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def podman(new_lab: Callable[..., Lab]) -> Lab:
    """One node that has Podman and an image."""
    lab = new_lab("podman")
    lab.up(nodes=1, with_podman=True)
    ssh(lab, "alpha", "sh -s", input=_IMAGE.encode())
    return lab


def fetch(lab: Lab, path: str) -> str:
    """What port 8080 of the node answers to the lab's network; empty while it does not."""
    try:
        connection = HTTPConnection(lab.node("alpha").address, 8080, timeout=3)
        connection.sock = lab.network.open_socket()
        connection.sock.settimeout(3)
        connection.sock.connect((lab.node("alpha").address, 8080))
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return ""


def test_run_in_a_user_namespace(podman: Lab) -> None:
    run_it = "podman run --rm --userns=auto localhost/busybox cat /proc/self/uid_map"
    inside, outside, count = ssh(podman, "alpha", run_it).text.split()
    assert (inside, int(outside) >= 2147483647, int(count) >= 1024) == ("0", True, True)


def test_build_runs_commands(podman: Lab) -> None:
    recipe = b"FROM localhost/busybox\nRUN echo built >/www/built\n"
    ssh(podman, "alpha", "podman build -q -t localhost/built -f - .", input=recipe)
    shown = ssh(podman, "alpha", "podman run --rm localhost/built cat /www/built")
    assert shown.text == "built"


def test_quadlet_serves_http_and_survives_a_reboot(podman: Lab) -> None:
    secret = "mkdir -p /srv/secret && echo s3cret >/srv/secret/f && chmod 600 /srv/secret/f"
    ssh(podman, "alpha", secret)
    ssh(podman, "alpha", "cat >/etc/containers/systemd/web.container", input=_UNIT.encode())
    assert fetch(podman, "/") == ""
    ssh(podman, "alpha", "systemctl daemon-reload && systemctl start web")
    wait_until(lambda: fetch(podman, "/") == "hello from the lab\n", 10, "HTTP from a container")
    # A file of root's, mode 600, belongs to the container's root by the mapped mount.
    assert fetch(podman, "/secret/f") == "s3cret\n"
    podman.node("alpha").reboot()
    wait_until(lambda: fetch(podman, "/") == "hello from the lab\n", 20, "HTTP after a reboot")
