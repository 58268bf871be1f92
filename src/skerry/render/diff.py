"""Differences as text or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import unified_diff

import msgspec

from skerry.errors import NodeError
from skerry.observe.finding import Finding
from skerry.render.text import Palette, one_line, plural, visible

_DIFF_LIMIT = 60


def render_findings(findings: Sequence[Finding], palette: Palette) -> str:
    """The findings by node and workload: each with what is expected, what is, and the fix."""
    lines: list[str] = []
    node = workload = None
    for one in findings:
        if one.node != node:
            node, workload = one.node, None
            lines.append(palette.paint(one.node, "bold"))
        if one.workloads != workload:
            workload = one.workloads
            lines.append(
                "  " + palette.paint(one_line(", ".join(one.workloads)) or "(the node)", "cyan")
            )
        lines += _finding_lines(one, palette)
    return "\n".join(lines)


def render_diff_line(
    findings: Sequence[Finding],
    unreachable: Mapping[str, NodeError],
    *,
    nodes: int,
    seconds: float,
) -> str:
    """The one line at the end."""
    asked = nodes - len(unreachable)
    if findings:
        drifted = len({one.node for one in findings})
        kinds = Counter(one.kind for one in findings)
        words = [
            f"{plural(len(findings), 'difference')} on {drifted} of {plural(asked, 'node')}: "
            + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        ]
    else:
        words = [f"no difference on {plural(asked, 'node')}"]
    if unreachable:
        words.append(f"{plural(len(unreachable), 'node')} unreachable ({', '.join(unreachable)})")
    return " · ".join(words) + f" · {seconds:.2f} s"


def render_diff_json(findings: Sequence[Finding], unreachable: Mapping[str, NodeError]) -> str:
    """The findings as JSON; ``docs/diff-json.md`` describes it."""
    shown = {
        "format": 1,
        "differences": [msgspec.to_builtins(one) for one in findings],
        "unreachable": {name: error.message for name, error in unreachable.items()},
    }
    return json.dumps(shown, indent=2)


def _finding_lines(one: Finding, palette: Palette) -> list[str]:
    lines = [f"    {palette.paint(one.kind, 'bold')} {one_line(one.name)}"]
    lines.append(f"      expected  {palette.paint(one_line(one.expected), 'green')}")
    lines.append(f"      actual    {palette.paint(one_line(one.actual), 'red')}")
    lines.append(f"      fix       {one_line(one.fix)}")
    if one.old is not None and one.new is not None:
        lines += _text_diff(one.old, one.new, palette)
    return lines


def _text_diff(old: str, new: str, palette: Palette) -> list[str]:
    """From what is on the node to what shall be there, as an apply would change it."""
    diff = list(
        unified_diff(old.splitlines(), new.splitlines(), "on the node", "desired", lineterm="", n=1)
    )
    shown = []
    for line in diff[:_DIFF_LIMIT]:
        colour = {"+": "green", "-": "red", "@": "dim"}.get(line[:1])
        shown.append(
            "        " + (palette.paint(visible(line), colour) if colour else visible(line))
        )
    if len(diff) > _DIFF_LIMIT:
        shown.append(f"        … {len(diff) - _DIFF_LIMIT} more lines")
    return shown
