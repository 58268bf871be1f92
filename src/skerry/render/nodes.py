"""Nodes as a table, their facts, and what bootstrap and reset did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from skerry.bootstrap.report import Report, ResetReport, Step
from skerry.errors import NodeError
from skerry.model.cloud import Node
from skerry.observe.census import NodeState, state_of
from skerry.render.errors import error_to_builtins
from skerry.render.table import Cell, Column, Row, choose_columns, render_table
from skerry.render.text import Palette, one_line, plural
from skerry.render.units import format_age, format_memory

COLUMNS = (
    Column("name"),
    Column("vendor"),
    Column("zone"),
    Column("state"),
    Column("latency", is_number=True),
    Column("os"),
    Column("kernel"),
    Column("podman"),
    Column("ram", is_number=True),
    Column("disk", is_number=True),
    Column("pods", is_number=True),
    Column("ssh", is_default=False),
    Column("labels", is_default=False),
    Column("arch", is_default=False),
    Column("cpus", is_default=False, is_number=True),
    Column("systemd", is_default=False, is_number=True),
    Column("uptime", is_default=False, is_number=True),
    Column("generation", is_default=False, is_number=True),
)
_COLOURS = {"ready": "green", "new": "cyan", "locked": "yellow", "unfinished": "yellow"}
_MARKS = {"would-change": "would change"}
_STEP_STYLES = {"changed": ("yellow",), "would-change": ("yellow",), "skipped": ("cyan",)}

Answers = Mapping[str, NodeState | NodeError]


def render_nodes(
    nodes: Mapping[str, Node],
    answers: Answers,
    palette: Palette,
    *,
    columns: str | None = None,
    has_header: bool = True,
) -> str:
    """The nodes as a table. Raises `UsageError` for a column that there is not."""
    rows = [_row(name, node, answers[name]) for name, node in nodes.items()]
    return render_table(choose_columns(COLUMNS, columns), rows, palette, has_header=has_header)


def render_nodes_line(answers: Answers, *, seconds: float) -> str:
    """The one line at the end: how many nodes are in which state."""
    counts = Counter(map(state_of, answers.values()))
    words = [plural(len(answers), "node"), *(f"{count} {state}" for state, count in counts.items())]
    return " · ".join(words) + f" · {seconds:.2f} s"


def render_nodes_json(nodes: Mapping[str, Node], answers: Answers) -> str:
    """The nodes as JSON: name, ssh, labels, state, and the state's figures or the error."""
    shown = []
    for name, node in nodes.items():
        answer = answers[name]
        entry: dict[str, object] = {
            "name": name,
            "ssh": node.ssh,
            "labels": node.all_labels(name),
            "state": state_of(answer),
        }
        if isinstance(answer, NodeError):
            entry["error"] = error_to_builtins(answer)
        else:
            entry |= msgspec.to_builtins(answer)
        shown.append(entry)
    return json.dumps({"format": 1, "nodes": shown}, indent=2)


def render_facts(facts: Mapping[str, Any]) -> str:
    """A node's facts, one per line, sorted by name."""
    rows = sorted(_flattened("", facts))
    width = max((len(key) for key, _ in rows), default=0)
    return "\n".join(
        f"{one_line(key).ljust(width)}  {one_line(value)}".rstrip() for key, value in rows
    )


def step_words(step: Step) -> str:
    """One step of bootstrap or reset as a line of progress."""
    mark = _MARKS.get(step.state, step.state)
    seconds = f"  ({step.seconds:.1f} s)" if step.seconds >= 0.05 else ""
    return f"{mark.ljust(12)} {step.step.ljust(15)} {step.detail}{seconds}"


def step_styles(step: Step) -> tuple[str, ...]:
    """How a terminal shows the step: what changed stands out."""
    return _STEP_STYLES.get(step.state, ())


def render_report(report: Report, *, entry: str, seconds: float) -> str:
    """The end of ``node add``: what the node is, and what was changed on it.

    `entry` says what became of the node's entry in cloud.yaml.
    """
    lines = []
    host = report.host
    if report.facts is not None:
        memory, disk = format_memory(host.memory), format_memory(host.disk_free)
        what = f"{host.os_name}, {host.kernel}, {host.arch}, {memory} RAM, {disk} disk free"
        lines.append(f"{report.node}: {one_line(what)}")
    skipped = [step.step for step in report.steps if step.state == "skipped"]
    words = [_change_words(report)]
    if entry:
        words.append(entry)
    if skipped and not report.is_check:
        words.append(f"{', '.join(skipped)} skipped")
    lines.append(f"{report.node}: {' · '.join(words)} · {seconds:.1f} s")
    return "\n".join(lines)


def report_to_builtins(report: Report) -> dict[str, object]:
    """The report as plain values, for JSON."""
    shown: dict[str, object] = {"format": 1, **msgspec.to_builtins(report)}
    shown["changed"] = len(report.changed)
    return shown


def render_reset(name: str, report: ResetReport, *, seconds: float) -> str:
    """The end of ``node reset``: what was removed, and what stays."""
    done = [step for step in report.steps if step.state in ("changed", "would-change")]
    if report.is_check:
        line = f"{plural(len(done), 'step')} would remove something; nothing was changed"
    else:
        line = "everything of Skerry's is removed"
        if report.is_shut:
            line += ", and the host no longer lets the deploy user in"
    left = [f"{name}: left: {one_line(words)}" for words in report.left]
    return "\n".join([*left, f"{name}: {line} · {seconds:.1f} s"])


def _change_words(report: Report) -> str:
    count = len(report.changed)
    if report.is_check:
        would = f"{plural(count, 'step')} would change something; nothing was changed"
        return would if count else "nothing to change"
    return f"{plural(count, 'step')} changed something" if count else "nothing to change"


def _row(name: str, node: Node, answer: NodeState | NodeError) -> Row:
    state = state_of(answer)
    row: dict[str, str | Cell] = {
        "name": Cell(name, ("bold",)),
        "vendor": node.vendor or "",
        "zone": node.zone or "",
        "state": Cell(state, (_COLOURS.get(state, "red"),)),
        "ssh": node.ssh,
        "labels": ",".join(f"{key}={value}" for key, value in sorted(node.labels.items())),
    }
    if isinstance(answer, NodeError):
        return row
    facts = answer.facts
    pods = f"{answer.running}/{answer.pods}" if answer.running != answer.pods else str(answer.pods)
    return {
        **row,
        "latency": f"{answer.latency * 1000:.0f}ms",
        "os": " ".join(str(facts.get(key) or "") for key in ("os_id", "os_version")).strip(),
        "kernel": str(facts.get("kernel") or ""),
        "podman": str(facts.get("podman_version") or ""),
        "ram": _used(facts, "memory_total", "memory_available"),
        "disk": _used(facts, "disk_total", "disk_free"),
        "pods": pods,
        "arch": str(facts.get("architecture") or ""),
        "cpus": str(facts.get("cpus") or ""),
        "systemd": str(facts.get("systemd_version") or ""),
        "uptime": format_age(float(facts.get("uptime") or 0)),
        "generation": str(answer.generation),
    }


def _used(facts: Mapping[str, Any], total: str, free: str) -> str:
    if not isinstance(facts.get(total), int) or not isinstance(facts.get(free), int):
        return ""
    return f"{format_memory(facts[total] - facts[free])}/{format_memory(facts[total])}"


def _flattened(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [
            pair
            for key, inner in value.items()
            for pair in _flattened(f"{prefix}.{key}" if prefix else str(key), inner)
        ]
    if isinstance(value, list | tuple):
        return [(prefix, ", ".join(map(str, value)))]
    return [(prefix, "" if value is None else str(value))]
