"""What a person reads of a plan."""

from __future__ import annotations

import json

from skerry.plan.plan import NodePlan, Plan
from skerry.plan.steps import ActOnUnit, AnyStep, ReloadSystemd, RemoveFile, SendImage, WriteFile
from skerry.plan.unit_actions import UnitAction
from skerry.render.plan import render_plan, render_plan_json
from skerry.render.text import Palette, format_bytes, visible

PLAIN = Palette(is_on=False)
STEPS: tuple[AnyStep, ...] = (
    SendImage(image_id="a" * 64, reference="localhost/blog", size=61_400_000, workloads=("blog",)),
    WriteFile(
        path="/etc/skerry/config/blog/index.html",
        kind="change",
        why="changed",
        old="<h1>\nHello\n</h1>\n",
        new="<h1>\nHello \x1b[2Jworld\n</h1>\n",
        workloads=("blog",),
    ),
    WriteFile(path="/etc/new", kind="add", why="new", new="long text", workloads=("blog",)),
    RemoveFile(path="/etc/old", workloads=("gone",)),
    ReloadSystemd(),
    ActOnUnit(
        unit="skerry-blog.0.service",
        action=UnitAction.RESTART,
        undo=UnitAction.RESTART,
        why="changed",
        workloads=("blog",),
    ),
)
PLAN = Plan(
    cloud="home",
    nodes={
        "alpha": NodePlan(node="alpha", base=3, number=4, steps=STEPS),
        "beta": NodePlan(node="beta", base=1, number=2),
    },
    unreachable={"gamma": "silent for 20 s"},
)


def test_text() -> None:
    assert render_plan(PLAN, PLAIN) == (
        """\
alpha
  blog
    send image localhost/blog  aaaaaaaaaaaa, 61.4 MB unpacked
    ~ /etc/skerry/config/blog/index.html  changed
        @@ -1,3 +1,3 @@
         <h1>
        -Hello
        +Hello \\x1b[2Jworld
         </h1>
    + /etc/new  new
    restart skerry-blog.0.service  changed
  gone
    - /etc/old  no longer wanted

gamma  unreachable: silent for 20 s
  what they have starts elsewhere with `skerry apply --without gamma`

1 node to change · files: 1 to add, 1 to change, 1 to remove · units: 1 to restart · \
1 image to send (61.4 MB unpacked) · 1 node unreachable"""
    )


def test_nothing_to_change() -> None:
    plan = Plan(cloud="home", nodes={"beta": NodePlan(node="beta", base=1, number=2)})
    assert render_plan(plan, PLAIN) == "nothing to change on 1 node"


def test_blocked_node_says_why() -> None:
    node = NodePlan(node="alpha", base=0, number=1, blockers=("/etc/x is not Skerry's",))
    shown = render_plan(Plan(cloud="home", nodes={"alpha": node}), PLAIN)
    assert "cannot be changed: /etc/x is not Skerry's" in shown
    assert shown.endswith("nothing to change on 0 nodes · 1 node cannot be changed")


def test_new_files_are_shown_on_demand() -> None:
    assert "long text" not in render_plan(PLAN, PLAIN)
    assert "+long text" in render_plan(PLAN, PLAIN, is_verbose=True)


def test_json() -> None:
    shown = json.loads(render_plan_json(PLAN))
    assert shown["format"] == 1
    assert shown["changes"] == len(STEPS)
    assert [step["step"] for step in shown["nodes"]["alpha"]["steps"]] == [
        "send-image",
        "write-file",
        "write-file",
        "remove-file",
        "daemon-reload",
        "unit",
    ]
    assert shown["unreachable"] == {"gamma": "silent for 20 s"}


def test_foreign_text_does_not_reach_the_terminal() -> None:
    assert visible("a\x1b[31mb\rc\td\x9b") == "a\\x1b[31mb\\rc\td\\x9b"


def test_sizes() -> None:
    assert [format_bytes(n) for n in (0, 999, 1000, 61_400_000, 250_000_000, 2_500_000_000)] == [
        "0 B", "999 B", "1.0 kB", "61.4 MB", "250 MB", "2.5 GB",
    ]  # fmt: skip
