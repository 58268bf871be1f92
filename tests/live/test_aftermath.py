"""`aftermath` sees what it is for: each kind of leftover is planted once."""

from __future__ import annotations

import pytest
from tests.live.aftermath import check_aftermath, look_at, node_faults, operator_leftovers
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until

from skerry.edge.run import Command, start

GONE = f"podman create -q --name gone --label PODMAN_SYSTEMD_UNIT=gone {BUSYBOX_IMAGE} sh"
# How each kind is planted and taken away on a node, and how it is told.
PLANTS = (
    ("echo {} > /var/lib/skerry/lock", "rm /var/lib/skerry/lock", "lock /var/lib/skerry/lock"),
    ("echo {} > /var/lib/skerry/journal", "rm /var/lib/skerry/journal", "journal /var/lib"),
    ("mkdir /var/lib/skerry/loading", "rmdir /var/lib/skerry/loading", "temporary folder /var"),
    (
        "touch /etc/containers/systemd/.skerry-web.0.container.skerry-new",
        "rm /etc/containers/systemd/.skerry-web.0.container.skerry-new",
        "temporary file /etc/containers/systemd/.skerry-web.0.container.skerry-new",
    ),
    (
        "touch /etc/skerry/config/web-page/.index.html.skerry-new",
        "rm /etc/skerry/config/web-page/.index.html.skerry-new",
        "temporary file /etc/skerry/config/web-page/.index.html.skerry-new",
    ),
    ("touch /run/skerry/x.json.12", "rm /run/skerry/x.json.12", "temporary file /run/skerry/x"),
    (
        "touch /var/lib/skerry/program/.12.zip",
        "rm /var/lib/skerry/program/.12.zip",
        "temporary file /var/lib/skerry/program/.12.zip",
    ),
    (
        "echo half > /var/lib/skerry/blobs/sha256/0123",
        "rm /var/lib/skerry/blobs/sha256/0123",
        "half-written file /var/lib/skerry/blobs/sha256/0123",
    ),
    (
        "mkdir /var/lib/skerry/generations/0; echo { > /var/lib/skerry/generations/0/switch.json",
        "rm -r /var/lib/skerry/generations/0",
        "half-written file /var/lib/skerry/generations/0/switch.json",
    ),
    (
        "systemd-run -q --unit=skerry-activate-99.service sleep infinity",
        "systemctl stop skerry-activate-99.service",
        "transient unit skerry-activate-99.service",
    ),
    (
        "systemd-run -q --unit=own sh -c 'tail -f /dev/null # skerry_node'",
        "systemctl stop own",
        "skerry_node",
    ),
    (
        "systemd-run -q --unit=skerry-bad.service false",
        "systemctl reset-failed skerry-bad.service",
        "failed unit skerry-bad.service",
    ),
    (
        "systemd-run -q --unit=skerry-old.service sleep infinity",
        "systemctl stop skerry-old.service",
        "unit skerry-old.service",
    ),
    (
        GONE.replace("=gone", "=skerry-gone.0.service"),
        "podman rm gone",
        "container gone (created) that no generation has",
    ),
    (
        "mkdir -p /var/lib/skerry/volumes/skerry-gone.0.x",
        "rmdir /var/lib/skerry/volumes/skerry-gone.0.x",
        "volume /var/lib/skerry/volumes/skerry-gone.0.x",
    ),
    (
        "mkdir /run/skerry/m && mount -t tmpfs tmpfs /run/skerry/m",
        "umount /run/skerry/m && rmdir /run/skerry/m",
        "mount /run/skerry/m",
    ),
    (
        "echo x | podman secret create skerry-gone-0123456789abcdef -",
        "podman secret rm skerry-gone-0123456789abcdef",
        "secret skerry-gone-0123456789abcdef",
    ),
    ("touch /var/tmp/podman123", "rm /var/tmp/podman123", "temporary file /var/tmp/podman123"),
    (
        "tar c -C /etc hostname | podman import -q - >/tmp/nameless",
        "podman rmi $(cat /tmp/nameless); rm /tmp/nameless",
        "nameless image",
    ),
)


@pytest.fixture
def running(cloud: LiveCloud) -> LiveCloud:
    """The cloud with a pod on alpha, and another one there that nothing touches."""
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    return cloud


def test_after_an_apply_nothing_is_left(running: LiveCloud) -> None:
    check_aftermath(running, look_at(running))


def test_each_kind_of_leftover_on_a_node_is_seen(running: LiveCloud) -> None:
    before = look_at(running, ["alpha"])
    for plant, _, _ in PLANTS:
        running.shell("alpha", plant)

    def missed() -> list[str]:
        now = look_at(running, ["alpha"])
        found = node_faults(before.nodes["alpha"], now.nodes["alpha"], set())
        return [words for *_, words in PLANTS if not any(words in one for one in found)]

    try:
        wait_until(lambda: not missed(), 20, "all that was planted to be seen")
    except AssertionError:
        assert missed() == []
    finally:
        for _, clean, _ in PLANTS:
            running.shell("alpha", clean)
    check_aftermath(running, before)


def test_what_is_left_on_the_operators_side_is_seen(running: LiveCloud) -> None:
    left = running.folder / ".cloud.lock.new"
    left.touch()
    child = start(Command.of("sleep", "60"), new_session=True)
    here = start(Command(("sleep", "60"), cwd=str(running.folder)))
    try:
        found = "\n".join(operator_leftovers(running))
        assert f"temporary file {left}" in found
        assert f"process {here.pid}" in found
        assert f"process {child.pid}" not in found
    finally:
        left.unlink()
        for one in (child, here):
            one.kill()
            one.wait()
    assert operator_leftovers(running) == []


def test_a_restart_a_stop_and_drift_are_seen(running: LiveCloud) -> None:
    before = look_at(running)
    running.shell("alpha", "systemctl restart skerry-web.0.service")
    with pytest.raises(AssertionError, match="was restarted without need"):
        check_aftermath(running, before, ends_within=0.3)
    check_aftermath(running, before, restarted={"web"})
    running.shell("alpha", "systemctl stop skerry-web.0.service")
    stopped = look_at(running).nodes["alpha"]
    assert any(
        "has stopped without need" in words
        for words in node_faults(before.nodes["alpha"], stopped, set())
    )
    # The further apply would start it: so the one before had not converged.
    with pytest.raises(AssertionError, match="a further apply"):
        check_aftermath(running, before, restarted={"web"}, ends_within=0.3)
    running.shell("alpha", "echo drift > /etc/skerry/config/web-page/index.html")
    with pytest.raises(AssertionError, match="a further apply"):
        check_aftermath(running, look_at(running), restarted={"web"}, ends_within=0.3)
