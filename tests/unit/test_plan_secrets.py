"""What a plan says of secrets: by names alone."""

from __future__ import annotations

import pytest

from skerry.plan.plan import plan_node
from skerry.plan.secrets import plan_secrets
from skerry.plan.steps import RemoveSecret, SendSecret
from skerry.render.plan import render_plan
from skerry.render.text import Palette
from skerry_node import wire
from tests.unit.wire_examples import manifest, observed, unit_entry

OLD, NEW, OTHER = (f"skerry-db-password-{one * 16}" for one in "123")


def tree(*names: str, of: str = "db/password", immutable: bool = False) -> wire.Manifest:
    """A manifest with these secrets, used by a unit of `blog`."""
    return manifest(
        secrets={name: {"of": of, "immutable": immutable} for name in names},
        units={"a.service": unit_entry(files=[], secrets=list(names))} if names else {},
    )


@pytest.mark.parametrize(
    ("desired", "active", "present", "sends", "removes"),
    [
        (tree(NEW), None, [], [(NEW, "new")], []),
        (tree(NEW), tree(), [NEW], [], []),
        (tree(NEW), tree(OLD), [OLD], [(NEW, "changed")], []),
        (tree(OLD), tree(OLD), [], [(OLD, "was deleted on the node")], []),
        (tree(), tree(OLD), [OLD], [], [("db/password", "no longer wanted")]),
        (tree(), tree(OLD), [], [], []),
        (tree(OLD), tree(OLD), [OLD, OTHER], [], [(OTHER, "left by an interrupted run")]),
    ],
)
def test_sends_and_removes(
    desired: wire.Manifest,
    active: wire.Manifest | None,
    present: list[str],
    sends: list[tuple[str, str]],
    removes: list[tuple[str, str]],
) -> None:
    seen = observed(manifest=active, secrets=present)
    found, gone = plan_secrets(desired, seen)
    assert [(step.name, step.why) for step in found] == sends
    assert [(step.of, step.why) for step in gone] == removes
    assert all(step.workloads == ("blog",) for step in found)


def test_it_is_said_in_words_and_undone() -> None:
    node = plan_node(tree(NEW), observed(manifest=tree(OLD), secrets=[OLD]), {}, lambda path: None)
    assert any(isinstance(step, SendSecret) for step in node.steps)
    assert "secret db/password (changed)" in node.changes()
    from skerry.plan.plan import Plan

    text = render_plan(Plan(cloud="home", nodes={"alpha": node}), Palette(is_on=False))
    assert "    ~ secret db/password  changed" in text
    assert "secrets: 1 to send" in text
    assert NEW not in text


def test_a_generation_of_before_there_were_secrets() -> None:
    before = manifest(units={"a.service": unit_entry(files=[])})
    node = plan_node(tree(NEW), observed(manifest=before, secrets=[]), {}, lambda path: None)
    assert [step.why for step in node.steps if isinstance(step, SendSecret)] == ["new"]


@pytest.mark.parametrize("was", [True, False])
def test_what_is_immutable_blocks(was: bool) -> None:  # noqa: FBT001
    active = tree(OLD, immutable=was)
    node = plan_node(
        tree(NEW, immutable=True),
        observed(manifest=active, secrets=[OLD]),
        {},
        lambda path: None,
    )
    assert [one for one in node.blockers if "secret db/password is immutable" in one] == (
        list(node.blockers) if was else []
    )
    gone = plan_node(tree(), observed(manifest=active, secrets=[OLD]), {}, lambda path: None)
    assert not gone.blockers
    assert any(isinstance(step, RemoveSecret) for step in gone.steps)
