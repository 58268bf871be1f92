"""A partition: replicas below it keep the version that they have."""

from __future__ import annotations

from skerry.compile.rolling.strategy import Strategy
from skerry.plan.partition import keep_partition
from skerry_node import wire
from tests.unit.wire_examples import file_entry, manifest, observed, unit_entry

OLD, NEW = "a" * 64, "b" * 64
SHARED = "/etc/skerry/config/page/a"


def tree(image: str, *replicas: int) -> wire.Manifest:
    """Replicas of a StatefulSet, each with a file of its own and one that they share."""
    units, files = {}, {SHARED: file_entry(image.encode())}
    for replica in replicas:
        path = f"/etc/containers/systemd/skerry-db.{replica}.container"
        files[path] = file_entry(image.encode())
        units[f"skerry-db.{replica}.service"] = unit_entry(
            workload="db", replica=replica, files=[path, SHARED], image_id=image
        )
    return manifest(units=units, files=files, images={image: f"localhost/{image[0]}"})


def kept(desired: wire.Manifest, active: wire.Manifest | None, partition: int = 2) -> wire.Manifest:
    strategy = Strategy(replicas=3, order="stop-first", is_numbered=True, partition=partition)
    seen = observed(manifest=active, images=[OLD])
    return keep_partition(desired, seen, {"db": strategy})


def test_replicas_below_it_keep_what_they_have() -> None:
    found = kept(tree(NEW, 0, 1, 2), tree(OLD, 0, 1, 2))
    images = [unit["image_id"] for unit in found["units"].values()]
    assert images == [OLD, OLD, NEW]
    assert found["images"] == {OLD: "localhost/a", NEW: "localhost/b"}
    digests = [found["files"][f"/etc/containers/systemd/skerry-db.{n}.container"] for n in range(3)]
    assert digests == [file_entry(OLD.encode())] * 2 + [file_entry(NEW.encode())]
    # What they share changes with those that are replaced, and restarts nobody else.
    assert found["files"][SHARED] == file_entry(NEW.encode())
    assert SHARED not in found["units"]["skerry-db.0.service"]["files"]
    assert SHARED in found["units"]["skerry-db.2.service"]["files"]


def test_without_one_or_on_a_new_node_all_is_new() -> None:
    assert kept(tree(NEW, 0, 1), tree(OLD, 0, 1), partition=0) == tree(NEW, 0, 1)
    assert kept(tree(NEW, 0, 1), None) == tree(NEW, 0, 1)
    # A replica that was not here comes in the new version.
    assert kept(tree(NEW, 0), tree(OLD, 1)) == tree(NEW, 0)


def test_replica_whose_image_is_gone_gets_the_new_version() -> None:
    assert kept(tree(NEW, 0, 1), tree("c" * 64, 0, 1)) == tree(NEW, 0, 1)
