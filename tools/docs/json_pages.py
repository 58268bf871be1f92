"""``docs/*-json.md``: what ``--json`` prints, by examples that the real code renders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
from tools.docs.structs import docstring, output_table

from skerry.activate.node import Outcome
from skerry.cli.flow import Phases
from skerry.cli.main import Settings
from skerry.cli.report import Report
from skerry.errors import NodeUnreachable
from skerry.model.cloud import Node
from skerry.observe.census import NodeState
from skerry.observe.finding import Finding
from skerry.observe.history import HistoryRow
from skerry.observe.journal import Line, Source
from skerry.observe.pruning import Pruned
from skerry.observe.status import STATES, ReplicaStatus
from skerry.plan.plan import NodePlan, Plan, Roll, Rolled
from skerry.plan.steps import (
    ActOnUnit,
    RecordGeneration,
    ReloadSystemd,
    RemoveFile,
    SendImage,
    WriteFile,
)
from skerry.plan.unit_actions import UnitAction
from skerry.render.diff import render_diff_json
from skerry.render.history import render_history_json
from skerry.render.logs import render_line_json
from skerry.render.nodes import render_nodes_json
from skerry.render.plan import render_plan_json
from skerry.render.pruned import pruned_to_builtins
from skerry.render.status import render_status_json

IMAGE = "5f1d0c" + "0" * 58
UNIT = "/etc/containers/systemd/skerry-blog.0.container"
PAGE = "/etc/skerry/config/blog/index.html"
SERVICE = "skerry-blog.0.service"
GONE = {"attic": NodeUnreachable("attic", "no answer within 10 s")}
STEPS = (
    SendImage(workloads=("blog",), image_id=IMAGE, reference="localhost/blog", size=61_400_000),
    WriteFile(workloads=("blog",), path=UNIT, kind="add", why="new", new="[Container]\n"),
    WriteFile(workloads=("blog",), path=PAGE, kind="change", why="changed", old="a\n", new="b\n"),
    RemoveFile(path="/etc/skerry/config/old/index.html", old="old\n"),
    ReloadSystemd(),
    ActOnUnit(
        workloads=("blog",),
        unit=SERVICE,
        action=UnitAction.START,
        undo=UnitAction.STOP,
        why="new",
    ),
)
PLAN = Plan(
    cloud="home",
    nodes={
        "alpha": NodePlan(node="alpha", base=3, number=4, steps=STEPS),
        "beta": NodePlan(node="beta", base=3, number=4),
    },
    unreachable={"attic": "no answer within 10 s"},
    roll=Roll(
        waves=(("alpha",),),
        workloads={
            "blog": Rolled(
                order="stop-first",
                reason="port 8080",
                replicas=2,
                max_unavailable=1,
                max_surge=1,
            )
        },
    ),
)
COMMON = """\
`format` grows by one when a field changes its meaning or goes away; new fields may come at any
time, so ignore what you do not know. `unreachable` maps the nodes that did not answer to the
reason.
"""
PLAN_WORDS = """\
`changes` counts the steps on the nodes that can be changed. Per node: `generation` is the active
one (0: none yet), `next_generation` the number of the new one, `blockers` say why nothing can be
done there; `steps` come in the order in which they happen. A node with no steps is as it shall
be. Every step has `workloads`, the names it happens for (empty: for the node itself), and `step`
says which of these it is:"""
APPLY_WORDS = """\
`plan` is as above. `done` maps each node that was changed to the seconds of its phases, `failed`
each that was not to its error (as in [errors.md](errors.md)); `untouched` are those that are as
they were because the roll stopped before, or behind a canary; `seconds` are those of the whole run
by phase."""


def render_plan_page() -> str:
    """``skerry plan``, ``apply`` and ``rollback``."""
    lines = [
        "# The JSON of plan, apply and rollback",
        "",
        COMMON,
        "## skerry --json plan",
        "",
        *_block(render_plan_json(PLAN)),
        "",
        PLAN_WORDS,
    ]
    for kind in (SendImage, WriteFile, RemoveFile, ReloadSystemd, ActOnUnit, RecordGeneration):
        lines += ["", f"### {kind.__struct_config__.tag}", "", _docstring(kind)]
        if table := output_table(kind, hidden=("workloads",)):
            lines += ["", *table]
    for part in (Roll, Rolled):
        lines += ["", f"### {part.__name__}", "", _docstring(part), "", *output_table(part)]
    lines += [
        "",
        "## skerry --json apply, skerry --json rollback",
        "",
        *_block(json.dumps({**_report().to_builtins(), "plan": "…"}, indent=2, ensure_ascii=False)),
        "",
        APPLY_WORDS,
    ]
    return "\n".join(lines) + "\n"


def render_status_page() -> str:
    """``skerry status``."""
    row = ReplicaStatus(
        workload="blog",
        node="alpha",
        replica=0,
        state="running",
        runs="running",
        memory=12_582_912,
        memory_limit=67_108_864,
        age=86400.0,
        images=("localhost/blog",),
        image_ids=(IMAGE,),
        ports=("8080->80/tcp",),
        units=(SERVICE,),
        generation=4,
    )
    return _page(
        "status",
        render_status_json([row], GONE, ["beta: locked by ann@laptop (apply)"]),
        "`notes` are what a person should know beside the rows. With `--containers` there is a\n"
        "row per container.",
        ReplicaStatus,
        f"States, from best to worst:\n{', '.join(STATES)}.",
    )


def render_diff_page() -> str:
    """``skerry diff``."""
    finding = Finding(
        node="alpha",
        workloads=("blog",),
        kind="file",
        name=PAGE,
        expected="3f2a90b1c4d5 0644 root:root",
        actual="77aa01c2d3e4",
        fix="skerry apply",
        old="edited by hand\n",
        new="hello\n",
    )
    return _page("diff", render_diff_json([finding], GONE), "", Finding, "")


def render_history_page() -> str:
    """``skerry history``."""
    row = HistoryRow(
        when=1_790_000_000.0,
        who="ann@laptop",
        message="say ahoy",
        numbers={"alpha": 4, "beta": 4},
        states={"alpha": "active", "beta": "failed"},
        changes=(f"change {PAGE} (changed)", f"restart {SERVICE} (changed)"),
    )
    return _page(
        "history",
        render_history_json([row], GONE),
        "Newest first. Equal `when`, `who` and `message` on several nodes are one entry.",
        HistoryRow,
        "States: `active`; `previous`; `failed` (it did not become healthy and was rolled back);\n"
        "`unconfirmed` (rolled back after a lost connection).",
    )


def render_nodes_page() -> str:
    """``skerry node ls``."""
    node = Node(ssh="skerry@203.0.113.10", vendor="north", zone="eu")
    state = NodeState(
        state="ready",
        latency=0.083,
        pods=10,
        running=10,
        generation=4,
        facts={"os_id": "debian", "podman_version": "5.4.2", "…": "…"},
    )
    example = render_nodes_json(
        {"alpha": node, "attic": Node(ssh="attic.local")}, {"alpha": state, **GONE}
    )
    return _page(
        "node ls",
        json.dumps(json.loads(example), indent=2, ensure_ascii=False),
        "A node that did not answer has `error` (as in [errors.md](errors.md)) in place of the\n"
        "figures. `facts` are all that `skerry node facts` shows.",
        NodeState,
        "",
        common=COMMON.partition(" `unreachable`")[0] + "\n",
    )


def render_prune_page() -> str:
    """``skerry prune``."""
    pruned = Pruned(
        generations=(1, 2),
        kept=(3, 4, 5, 6, 7),
        blobs=3,
        blob_bytes=1734,
        images={IMAGE: "localhost/blog"},
        image_bytes=61_400_000,
    )
    shown = pruned_to_builtins({"alpha": pruned}, {"alpha": pruned}, GONE)
    return _page(
        "prune",
        json.dumps(shown, indent=2, ensure_ascii=False),
        "`planned` is what would go; `removed` what went (empty with `--dry-run`).",
        Pruned,
        "",
        common=COMMON.replace("`unreachable`", "`failed`"),
    )


def render_logs_page() -> str:
    """``skerry logs``."""
    line = Line(
        microseconds=1_790_000_000_250_000,
        source=Source(workload="blog", node="alpha", replica=0),
        message="GET / 200",
    )
    return (
        "# The JSON of logs\n\n"
        "`skerry --json logs` prints one object per line, in the order of time:\n\n"
        + "\n".join(_block(render_line_json(line)))
        + "\n\n`time` (UTC) and `microseconds` (since 1970) are by the node's clock; `container`\n"
        "is empty for a pod's only one; `priority` is syslog's, 0 (worst) to 7; `from_systemd`\n"
        "tells systemd's own words about a unit from what the unit printed.\n"
    )


def _page(
    verb: str,
    example: str,
    words: str,
    kind: type[msgspec.Struct],
    tail: str,
    *,
    common: str = COMMON,
) -> str:
    lines = [f"# The JSON of {verb}", "", common, f"    skerry --json {verb}", "", *_block(example)]
    lines += ["", words] if words else []
    lines += ["", _docstring(kind), "", *output_table(kind)]
    lines += ["", tail] if tail else []
    return "\n".join(lines) + "\n"


def _docstring(kind: type[msgspec.Struct]) -> str:
    text = docstring(kind).replace("None", "null")
    return text.replace("one of `STATES`", "one of the states below")


def _block(text: str) -> list[str]:
    return ["```json", text, "```"]


def _report() -> Report:
    report = Report(Settings(Path(), json=True, verbose=0), PLAN, Phases(None))
    report.done["alpha"] = Outcome(seconds={"files": 0.01, "units": 0.42, "confirm": 0.05})
    report.bytes_sent = 18_200_000
    report.phases.seconds = {"load": 0.05, "observe": 0.2, "push": 0.9, "activate": 1.4}
    return report


PAGES: dict[str, Callable[[], str]] = {
    "plan-json.md": render_plan_page,
    "status-json.md": render_status_page,
    "diff-json.md": render_diff_page,
    "history-json.md": render_history_page,
    "nodes-json.md": render_nodes_page,
    "prune-json.md": render_prune_page,
    "logs-json.md": render_logs_page,
}
