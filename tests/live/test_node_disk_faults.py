"""Disks that are full or read-only: said in words, nothing half done, the next apply goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live.broken_node import STATE, BrokenNode
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import build_busybox_image
from tests.seen import Seen


@pytest.fixture
def node(live_cloud: LiveCloud) -> Iterator[BrokenNode]:
    """A node with two pods that run."""
    broken = BrokenNode(live_cloud)
    broken.begin()
    yield broken
    live_cloud.empty()


@pytest.mark.fault("disk-full-at-every-write")
def test_disk_full_at_every_write(node: BrokenNode, seen: Seen) -> None:
    """One page more is free each time, until the apply passes.

    (`tests/unit/test_node_faults.py` has every call of the node program that can fail.)
    """
    passed, free = False, 0
    with node.small_disk(STATE) as set_limits:
        while not passed:
            node.change()
            # The node is looked at, and may be mended, with all the room there is.
            set_limits("")
            generation = node.shell(f"readlink {STATE}/current")
            set_limits(node.leave_free(STATE, free))
            ended = node.cloud.skerry("apply", "--yes", expect=None)
            passed = ended.status == 0
            if not passed:
                words = ended.text + ended.error_text
                assert ended.status == 3, words
                assert "no space left for" in words, words
                assert "Traceback" not in words
                if free == 0:
                    seen(ended.error_text, typed="skerry apply --yes")
                assert node.shell(f"readlink {STATE}/current") == generation
            free += 1
    assert free > 3, f"it passed with {free} pages free: nothing was full"
    node.mend()


@pytest.mark.fault("disk-full-at-every-write")
@pytest.mark.parametrize("folder", ["/etc/containers/systemd", "/etc/skerry", "/run/skerry"])
def test_disk_full_where_files_are_replaced(node: BrokenNode, seen: Seen, folder: str) -> None:
    node.change(text="a page that is larger than the free end of a page of memory " * 100)
    with node.small_disk(folder) as set_limits:
        set_limits(node.leave_free(folder, 0))
        if folder == "/run/skerry":
            # What is kept there can be done without.
            node.cloud.skerry("apply", "--yes")
        else:
            seen(**node.fail(says="no space left for"))
    node.mend()


@pytest.mark.fault("disk-full-at-every-write")
def test_disk_full_while_an_image_is_sent(node: BrokenNode, seen: Seen) -> None:
    image = "localhost/skerry-busybox-large"
    build_busybox_image(image, variant="for a full disk")
    node.cloud.place("large", httpd("large", image=image, port=8083), "nodes: [alpha]")
    loading = "/var/lib/skerry/loading"
    node.shell(f"mkdir -p {loading} && mount -t tmpfs -o size=64k none {loading}")
    try:
        seen(**node.fail(says="no space left"))
        assert "large" not in node.shell(f"podman image ls; ls -A {loading}")
    finally:
        node.shell(f"umount {loading}; rmdir {loading}")
    assert node.cloud.skerry("apply", "--yes").status == 0
    node.mend(restarted=())


# What of the root file system Skerry writes to: remounting all of it needs more rights than a
# container has.
READ_ONLY = (
    "for d in /etc /var/lib/skerry; do mount --bind $d $d; mount -o remount,bind,ro $d; done"
)
WRITABLE = "umount /etc /var/lib/skerry"


@pytest.mark.fault("read-only-root")
def test_read_only_root(node: BrokenNode, seen: Seen) -> None:
    node.change()
    node.shell(READ_ONLY)
    try:
        seen(**node.fail(says="mounted read-only"))
        # Looking needs no writing.
        assert "web" in node.cloud.skerry("status").text
        node.cloud.skerry("plan")
        seen(**node.fail("prune", "--yes", says="mounted read-only"))
    finally:
        node.shell(WRITABLE)
    node.mend()
