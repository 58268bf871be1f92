"""What the node program and Podman keep on a node, damaged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live.broken_node import STATE, UNIT_FILE, BrokenNode, without_waiting
from tests.live.cloud_for_tests import LiveCloud
from tests.seen import Seen

STORAGE = "/var/lib/containers/storage"
BLOB = f"{STATE}/blobs/sha256/$(sha256sum {UNIT_FILE} | cut -c1-64)"
MANIFEST = f"$(readlink -f {STATE}/current)/manifest.json"

RECORD = MANIFEST.replace("manifest", "generation")
PROGRAM = f"$(ls -td {STATE}/program/*/ | head -1)skerry_node"


@pytest.fixture
def node(live_cloud: LiveCloud) -> Iterator[BrokenNode]:
    """A node with two pods that run."""
    broken = BrokenNode(live_cloud)
    broken.begin()
    yield broken
    live_cloud.empty()


def damage(node: BrokenNode, paths: str) -> None:
    """Garbage in the place of files, of which each is there before unless it need not be."""
    node.shell(f"for f in {paths}; do rm -f $f; printf '\\0\\377 garbage' > $f; done")


def see_apply(node: BrokenNode, seen: Seen) -> None:
    """An apply of a change is done as if nothing were, and nothing is left of the damage."""
    node.change()
    applied = node.cloud.skerry("apply", "--yes")
    seen(without_waiting(applied.text), typed="skerry apply --yes")
    node.mend()


@pytest.mark.fault("corrupt-blob")
def test_blob_that_is_damaged_is_sent_again(node: BrokenNode, seen: Seen) -> None:
    damage(node, BLOB)
    see_apply(node, seen)


@pytest.mark.fault("corrupt-journal")
@pytest.mark.parametrize("paths", [f"{STATE}/journal", f"{STATE}/journal {STATE}/current"],
                         ids=["alone", "with-the-link"])  # fmt: skip
def test_journal_that_is_damaged(node: BrokenNode, seen: Seen, paths: str) -> None:
    damage(node, paths)
    see_apply(node, seen)


@pytest.mark.fault("corrupt-lock")
def test_lock_that_is_damaged(node: BrokenNode, seen: Seen) -> None:
    damage(node, f"{STATE}/lock")
    see_apply(node, seen)


@pytest.mark.fault("corrupt-node-cache")
@pytest.mark.parametrize(
    "paths",
    [
        f"{STATE}/images.json /run/skerry/*.json",
        f"{PROGRAM}/observe.py {PROGRAM}/__pycache__/observe.*",
        f"{PROGRAM}/__pycache__/*",
    ],
    ids=["answers", "program", "compiled"],
)
def test_caches_that_are_damaged(node: BrokenNode, seen: Seen, paths: str) -> None:
    # Only an image that Skerry sent is noted, and tests before this one may have put theirs there.
    node.shell(f"test -e {STATE}/images.json || echo '{{}}' >{STATE}/images.json")
    node.shell(f"ls {paths}")
    damage(node, paths)
    see_apply(node, seen)


@pytest.mark.fault("corrupt-manifest")
def test_record_of_a_generation_that_is_damaged(node: BrokenNode, seen: Seen) -> None:
    """What is lost is who made it and when; `prune` removes what is no good for a rollback."""
    damage(node, RECORD)
    node.change()
    node.cloud.skerry("apply", "--yes")
    typed = ("history", "--no-header", "--columns", "when,who,state,message")
    rows = [line.split() for line in node.cloud.skerry(*typed).text.splitlines()]
    # Earlier tests may have left others that failed, of which it is known when.
    (row,) = [row for row in rows if row[0] == "-" and "failed" in row]
    # How wide the columns are is up to the generations of other tests.
    seen("  ".join(row), typed=" ".join(("skerry", *typed)))
    node.cloud.skerry("prune", "--keep", "1", "--yes")
    node.mend()


@pytest.mark.fault("corrupt-manifest")
@pytest.mark.parametrize("how", [": > {}", "echo '{{\"files\": []}}' > {}", "rm {}; mkdir {}"],
                         ids=["empty", "shape", "folder"])  # fmt: skip
def test_manifest_that_is_damaged(node: BrokenNode, seen: Seen, how: str) -> None:
    node.shell(f"m={MANIFEST}; {how.format('$m', '$m')}")
    seen(**node.fail(says="put it back from a backup; or move"))
    node.cloud.skerry("status", expect=None)
    # What it says is done.
    node.shell(f"mv $(readlink -f {STATE}/current) /root/; rm -rf /root/[0-9]*")
    node.mend(restarted=())


def repair(node: BrokenNode) -> None:
    """Podman removes what is damaged, and says by its status that something was."""
    node.shell("podman system check --repair --force", check=False)
    node.shell("podman system check")


@pytest.mark.fault("podman-storage-damaged")
@pytest.mark.parametrize(
    ("path", "damage"),
    [
        ("overlay-layers/layers.json", "echo garbage > {}"),
        ("overlay-images/images.json", "echo '[{{' > {}"),
        ("db.sql", "dd if=/dev/urandom of={} bs=4k count=2 conv=notrunc status=none"),
    ],
    ids=["layers", "images", "database"],
)
def test_podman_cannot_read_its_storage(
    node: BrokenNode, seen: Seen, path: str, damage: str
) -> None:
    node.change()
    # Under a pod that runs, Podman would lose the container of which a process still lives.
    node.shell("systemctl stop skerry-web.0.service skerry-by.0.service")
    node.shell(damage.format(f"{STORAGE}/{path}"))
    node.shell("rm -f /run/skerry/*.json")
    seen(**node.fail(says="podman system check --repair --force"))
    # What it says is done.
    node.shell(f"rm {STORAGE}/{path}")
    repair(node)
    node.mend(restarted=("web", "by"))


@pytest.mark.fault("podman-storage-damaged")
def test_image_that_is_gone_is_sent_again(node: BrokenNode, seen: Seen) -> None:
    node.shell("systemctl stop skerry-web.0.service skerry-by.0.service")
    node.shell("podman image rm --all --force")
    seen(node.cloud.skerry("plan").text, typed="skerry plan")
    node.mend(restarted=("web", "by"))


@pytest.mark.fault("podman-storage-damaged")
def test_layer_whose_files_are_gone(node: BrokenNode, seen: Seen) -> None:
    node.shell("systemctl stop skerry-web.0.service skerry-by.0.service")
    node.shell(f"rm -rf {STORAGE}/overlay/*/diff/bin")
    told = node.fail(says="podman system check --repair --force")
    # Which of the two has failed first differs.
    seen(next(line for line in told["text"].splitlines() if "repair" in line), typed=told["typed"])
    # What it says is done.
    repair(node)
    node.mend(restarted=("web", "by"))


@pytest.mark.fault("podman-storage-damaged")
def test_container_in_the_way_of_a_name(node: BrokenNode) -> None:
    node.shell("systemctl stop skerry-web.0.service")
    image = node.shell("podman image ls -q | head -1")
    node.shell(f"podman create --name skerry-web.0 {image} sleep 1")
    node.mend()
