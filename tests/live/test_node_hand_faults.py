"""Files of Skerry's that somebody edits, deletes or locks by hand, and files in its way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live.broken_node import PAGE_FILE, STATE, UNIT_FILE, BrokenNode
from tests.live.cloud_for_tests import LiveCloud
from tests.seen import Seen

from skerry.edge.run import Command, run

UNIT = "skerry-web.0.service"


@pytest.fixture
def node(live_cloud: LiveCloud) -> Iterator[BrokenNode]:
    """A node with two pods that run."""
    broken = BrokenNode(live_cloud)
    broken.begin()
    yield broken
    live_cloud.empty()


@pytest.mark.fault("file-edited", "file-deleted")
@pytest.mark.parametrize(
    "command",
    [
        f"echo hacked >> {PAGE_FILE}; echo '# hacked' >> {UNIT_FILE}",
        f"rm -r /etc/skerry/config/web-page {UNIT_FILE}; systemctl daemon-reload",
        f"chmod 600 {PAGE_FILE}; chown 1000:1000 {UNIT_FILE}",
        f": > {UNIT_FILE}; : > {PAGE_FILE}",
        f"systemctl stop {UNIT}",
        f"podman rm -f skerry-web.0; systemctl stop {UNIT}",
    ],
    ids=["edited", "deleted", "modes", "emptied", "stopped", "removed"],
)
def test_files_and_units_that_were_changed_by_hand(
    node: BrokenNode, seen: Seen, command: str
) -> None:
    node.shell(command)
    found = node.cloud.skerry("diff", expect=4)
    seen(found.text + found.error_text, typed="skerry diff")
    node.mend()


@pytest.mark.fault("file-edited", "foreign-file")
def test_link_to_somewhere_else_is_replaced_and_not_written_through(node: BrokenNode) -> None:
    node.shell(
        f"echo mine > /root/mine; ln -sfn /root/mine {UNIT_FILE}; ln -sfn /root/mine {PAGE_FILE}"
    )
    node.change()
    node.mend()
    assert node.shell("cat /root/mine; rm /root/mine") == "mine"
    assert not node.is_true(f"test -L {UNIT_FILE}")


@pytest.mark.fault("foreign-file")
@pytest.mark.parametrize("kind", ["file", "folder", "link", "fifo"])
@pytest.mark.parametrize("path", [UNIT_FILE, PAGE_FILE], ids=["unit", "page"])
def test_something_of_somebody_lies_in_the_way(
    node: BrokenNode, seen: Seen, path: str, kind: str
) -> None:
    make, is_there = {
        "file": ("echo theirs > {0}", "grep theirs {0}"),
        "folder": ("mkdir {0}; echo theirs > {0}/theirs", "grep theirs {0}/theirs"),
        "link": ("ln -s /etc/hostname {0}", "test -L {0}"),
        "fifo": ("mkfifo {0}", "test -p {0}"),
    }[kind]
    theirs = path.replace("web", "new")
    node.shell(f"mkdir -p $(dirname {theirs}); {make.format(theirs)}")
    place_new(node)
    try:
        seen(**node.fail(says=f"{theirs}"))
        assert "new" not in " ".join(node.cloud.containers("alpha"))
        # Whatever it is, it is as it was.
        assert node.is_true(is_there.format(theirs))
    finally:
        node.shell(f"rm -r {theirs}")
    node.mend(restarted=())


def place_new(node: BrokenNode) -> None:
    """One more workload, `new`."""
    manifest = (node.cloud.folder / "pods/by.yaml").read_text().replace("by", "new")
    manifest = manifest.replace("hostPort: 8082", "hostPort: 8083")
    node.cloud.place("new", manifest, "nodes: [alpha]")


@pytest.mark.fault("file-immutable")
@pytest.mark.parametrize("path", [UNIT_FILE, PAGE_FILE, "/etc/containers/systemd", STATE],
                         ids=["unit", "page", "folder", "state"])  # fmt: skip
def test_what_was_made_immutable_by_hand(node: BrokenNode, seen: Seen, path: str) -> None:
    node.change()
    # From outside: a container may not.
    there = f"{node.cloud.lab.node(node.name).disk}{path}"
    run(Command.of("chattr", "+i", there))
    try:
        seen(**node.fail(says="chattr -i"))
        assert node.page() == "page 1"
        assert not node.is_true(
            "ls -A /etc/containers/systemd /etc/skerry/config/web-page | grep new"
        )
    finally:
        run(Command.of("chattr", "-i", there))
    node.mend()


@pytest.mark.fault("foreign-file")
def test_link_in_the_place_of_a_folder(node: BrokenNode, seen: Seen) -> None:
    folder = "/etc/skerry/config/web-page"
    node.shell(f"mv {folder} /root/theirs; ln -s /root/theirs {folder}")
    kept = node.shell("cat /root/theirs/index.html")
    node.change()
    try:
        seen(**node.fail(says="is a link and no folder any more"))
        assert (
            node.shell("cat /root/theirs/index.html; ls -A /root/theirs") == f"{kept}\nindex.html"
        )
    finally:
        node.shell(f"rm {folder}; rm -r /root/theirs")
    node.mend()


@pytest.mark.fault("file-edited")
def test_unit_that_was_masked_by_hand(node: BrokenNode, seen: Seen) -> None:
    # Masked, it has none of its ways to stop any more, and what runs in it ignores SIGTERM: of its
    # own, systemd would give it 90 s.
    node.shell(f"systemctl mask {UNIT}; systemctl kill --signal KILL {UNIT}; systemctl stop {UNIT}")
    try:
        told = node.fail(says="systemctl unmask")
        (why,) = [line for line in told["text"].splitlines() if "masked" in line]
        seen(why, typed=told["typed"])
    finally:
        node.shell(f"systemctl unmask {UNIT}")
    node.mend()


@pytest.mark.fault("file-deleted")
def test_state_folder_wholly_removed(node: BrokenNode, seen: Seen) -> None:
    node.shell(f"rm -rf {STATE}")
    seen(node.cloud.skerry("plan").text, typed="skerry plan")
    node.mend(restarted=())
