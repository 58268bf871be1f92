"""The plan of a node: which files, units and images, and why."""

from __future__ import annotations

import msgspec
import pytest

from skerry.compile.lock import ResolvedImage
from skerry.compile.tree import Needs
from skerry.plan.plan import NodePlan, plan_node
from skerry.plan.steps import (
    ActOnUnit,
    RecordGeneration,
    ReloadSystemd,
    RemoveFile,
    SendImage,
    WriteFile,
)
from skerry.plan.unit_actions import UnitAction
from skerry_node import wire
from tests.unit.wire_examples import (
    file_entry,
    manifest,
    observed,
    on_disk,
    unit_entry,
    unit_state,
)

UNIT_FILE = "/etc/containers/systemd/skerry-blog.0.container"
CONFIG = "/etc/skerry/config/blog/index.html"
UNIT = "skerry-blog.0.service"
IMAGE = "a" * 64


def blog(content: bytes = b"one") -> wire.Manifest:
    """One pod with one config file."""
    return manifest(
        files={UNIT_FILE: file_entry(b"unit"), CONFIG: file_entry(content)},
        units={UNIT: unit_entry(files=[UNIT_FILE, CONFIG])},
        images={IMAGE: "localhost/blog"},
    )


def running(active: wire.Manifest, **different: object) -> wire.Observed:
    """The node on which `active` runs as it should."""
    return observed(
        **{
            "generation": 3,
            "next_number": 4,
            "manifest": active,
            "units": {name: unit_state() for name in active["units"]},
            "images": list(active["images"]),
            **different,
        }
    )


def planned(desired: wire.Manifest, seen: wire.Observed) -> NodePlan:
    images = {IMAGE: ResolvedImage(id=IMAGE, size=50_000_000)}
    needs = [
        Needs(workload="blog", podman=(5, 0), kernel=(5, 12), architectures=("amd64",)),
    ]
    return plan_node(desired, seen, images, lambda path: f"text of {path}", needs)


def test_nothing_to_change() -> None:
    plan = planned(blog(), running(blog()))
    assert plan.is_empty
    assert plan.blockers == ()


def test_empty_tree_on_an_untouched_node_is_nothing() -> None:
    assert planned(manifest(), observed()).is_empty


def test_first_apply_sends_writes_and_starts_in_that_order() -> None:
    absent = {UNIT_FILE: on_disk(None, owned=False), CONFIG: on_disk(None, owned=False)}
    missing = file_entry(b"unit")["digest"]
    plan = planned(blog(), observed(on_disk=absent, missing=[missing, "sha256:not-asked-for"]))
    kinds = [type(step) for step in plan.steps]
    assert kinds == [SendImage, WriteFile, WriteFile, ReloadSystemd, ActOnUnit]
    assert plan.unit_actions() == [{"verb": "start", "unit": UNIT, "stage": 0}]
    assert plan.undo_actions() == [{"verb": "stop", "unit": UNIT, "stage": 0}]
    assert plan.missing == (missing,)
    assert all(step.describe() and step.describe_undo() for step in plan.steps)


def test_changed_config_restarts_its_unit_without_daemon_reload() -> None:
    seen = running(blog(), on_disk={CONFIG: on_disk(b"one")})
    plan = planned(blog(b"two"), seen)
    change, action = plan.steps
    assert isinstance(change, WriteFile)
    assert (change.kind, change.why, change.old) == ("change", "changed", "one")
    assert change.workloads == ("blog",)
    assert isinstance(action, ActOnUnit)
    assert action.action is UnitAction.RESTART


def test_file_edited_on_the_node_is_restored_and_said_so() -> None:
    plan = planned(blog(), running(blog(), on_disk={CONFIG: on_disk(b"edited")}))
    change = plan.steps[0]
    assert isinstance(change, WriteFile)
    assert (change.kind, change.why) == ("restore", "was changed on the node")


def test_file_deleted_on_the_node_is_restored() -> None:
    plan = planned(blog(), running(blog(), on_disk={CONFIG: on_disk(None)}))
    change = plan.steps[0]
    assert isinstance(change, WriteFile)
    assert (change.kind, change.why) == ("restore", "was deleted on the node")


def test_changed_mode_alone_is_a_change() -> None:
    plan = planned(blog(), running(blog(), on_disk={CONFIG: on_disk(b"one", mode=0o600)}))
    assert isinstance(plan.steps[0], WriteFile)


def test_foreign_file_in_the_way_blocks_the_node() -> None:
    foreign = {CONFIG: on_disk(b"somebody's", owned=False)}
    plan = planned(blog(), observed(on_disk=foreign))
    assert len(plan.blockers) == 1
    assert CONFIG in plan.blockers[0]


def test_foreign_file_with_the_same_content_is_adopted() -> None:
    same = {CONFIG: on_disk(b"one", owned=False), UNIT_FILE: on_disk(None, owned=False)}
    assert planned(blog(), observed(on_disk=same)).blockers == ()


def test_what_left_is_removed_and_stopped_before_anything_is_started() -> None:
    other = manifest(
        files={"/etc/containers/systemd/skerry-a.0.container": file_entry()},
        units={
            "skerry-a.0.service": unit_entry(
                workload="a", files=["/etc/containers/systemd/skerry-a.0.container"]
            )
        },
    )
    plan = planned(other, running(blog()))
    assert [step.path for step in plan.steps if isinstance(step, RemoveFile)] == [
        UNIT_FILE,
        CONFIG,
    ]
    assert plan.unit_actions() == [
        {"verb": "stop", "unit": UNIT, "stage": 0},
        {"verb": "start", "unit": "skerry-a.0.service", "stage": 0},
    ]


def test_failed_unit_is_started_without_touching_files() -> None:
    seen = running(blog(), units={UNIT: unit_state(active="failed", result="exit-code")})
    plan = planned(blog(), seen)
    assert plan.unit_actions() == [{"verb": "start", "unit": UNIT, "stage": 0}]
    assert plan.undo_actions() == []


def test_image_that_does_not_fit_blocks_the_node() -> None:
    facts = {"podman_version": "5.4.2", "disk_free": 150_000_000}
    plan = planned(blog(), observed(facts=facts))
    assert "MB" in plan.blockers[0]


def test_missing_podman_blocks_the_node() -> None:
    plan = planned(blog(), observed(facts={"podman_version": None, "disk_free": 10**10}))
    assert "Podman is not installed" in plan.blockers[0]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"podman_version": "4.9.4"}, "blog needs Podman 5.0"),
        ({"kernel": "4.18.0-553.el8_10.x86_64"}, "blog needs Linux 5.12"),
        ({"architecture": "aarch64"}, "an image of blog is for amd64; the node is aarch64"),
        ({"container_users": False}, "no user ids for containers"),
    ],
)
def test_what_the_node_lacks_blocks_it(facts: dict[str, object], words: str) -> None:
    good = {"podman_version": "5.4.2", "kernel": "6.1.0", "architecture": "x86_64"}
    plan = planned(blog(), observed(facts={**good, "disk_free": 10**10, **facts}))
    assert len(plan.blockers) == 1
    assert words in plan.blockers[0]


def test_nothing_blocks_a_node_with_nothing_to_do() -> None:
    facts = {"podman_version": "4.4.0", "disk_free": 0}
    assert planned(blog(), running(blog(), facts=facts)).blockers == ()


def test_another_image_reference_alone_is_recorded() -> None:
    renamed = blog()
    renamed["images"] = {IMAGE: "localhost/blog:v2"}
    plan = planned(renamed, running(blog()))
    assert [type(step) for step in plan.steps] == [RecordGeneration]


def test_plan_survives_a_json_round_trip() -> None:
    absent = {UNIT_FILE: on_disk(None, owned=False), CONFIG: on_disk(None, owned=False)}
    plan = planned(blog(), observed(on_disk=absent))
    assert msgspec.json.decode(msgspec.json.encode(plan), type=NodePlan) == plan
