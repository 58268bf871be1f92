"""A plan as text for people, with diffs and counts, or as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter

import msgspec

from skerry.plan.plan import NodePlan, Plan
from skerry.plan.steps import (
    ActOnUnit,
    AnyStep,
    RecordGeneration,
    RemoveFile,
    RemoveSecret,
    SendImage,
    SendSecret,
    WriteFile,
)
from skerry.plan.unit_actions import UnitAction
from skerry.render.text import Palette, format_bytes, one_line, plural, visible

# A new file is shown in full only on demand: its text is in the folder.
_MARKS = {"add": ("+", "green"), "change": ("~", "yellow"), "restore": ("!", "magenta")}
_DIFF_LIMIT = 60
_SECRET_MARKS = {"new": "add", "changed": "change"}


def render_plan(plan: Plan, palette: Palette, *, is_verbose: bool = False) -> str:
    """The plan per node and workload, as lines, with counts at the end."""
    lines: list[str] = []
    for name, node in plan.nodes.items():
        if node.is_empty and not node.blockers and not node.notes:
            continue
        lines.append(palette.paint(name, "bold"))
        for blocker in node.blockers:
            first, *more = visible(blocker).splitlines() or [""]
            lines.append(f"  {palette.paint('cannot be changed:', 'red')} {first}")
            lines += [f"    {line}" for line in more]
        lines += [f"  {palette.paint('note:', 'yellow')} {one_line(note)}" for note in node.notes]
        for workload, steps in _by_workload(node):
            shown = palette.paint(one_line(workload), "cyan")
            lines.append(f"  {shown}{_order_words(plan, workload)}")
            stage = 0
            for step in steps:
                if isinstance(step, ActOnUnit) and step.stage > stage:
                    stage = step.stage
                    lines.append(f"    {palette.paint('then, when that is healthy', 'dim')}")
                lines += _step_lines(step, palette, is_verbose=is_verbose)
        lines.append("")
    for name, reason in plan.unreachable.items():
        words = f"{palette.paint('unreachable', 'red')}: {one_line(reason)}"
        lines.append(f"{palette.paint(name, 'bold')}  {words}")
    if plan.unreachable:
        names = ",".join(plan.unreachable)
        lines += [f"  what they have starts elsewhere with `skerry apply --without {names}`", ""]
    lines += _place_lines(plan, palette)
    lines += _roll_lines(plan, palette)
    lines.append(render_counts(plan))
    return "\n".join(lines)


def _order_words(plan: Plan, workload: str) -> str:
    """How a workload's replicas are replaced; empty where none is."""
    rolled = plan.roll.workloads.get(workload)
    if rolled is None:
        return ""
    return f"  {rolled.order}" + (f": {one_line(rolled.reason)}" if rolled.reason else "")


def _roll_lines(plan: Plan, palette: Palette) -> list[str]:
    """The order of the nodes, where there is one, and why."""
    roll, lines = plan.roll, []
    if len(roll.waves) > 1:
        order = ", then ".join(" and ".join(wave) for wave in roll.waves)
        lines.append(f"{palette.paint(f'in {len(roll.waves)} waves:', 'bold')} {order}")
        for name, rolled in roll.workloads.items():
            if rolled.order == "start-first":
                words = f"at most {rolled.max_surge} beyond its {rolled.replicas}"
            else:
                words = f"at most {rolled.max_unavailable} of {rolled.replicas} down"
            if rolled.replicas > 1:
                lines.append(f"  {palette.paint(one_line(name), 'cyan')}  {words} at a time")
    lines += [f"{palette.paint('note:', 'yellow')} {one_line(note)}" for note in roll.notes]
    if roll.left:
        left = ", ".join(roll.left)
        lines.append(f"{palette.paint('canary:', 'yellow')} {left} would change too, but not now")
    return [*lines, ""] if lines else []


def _place_lines(plan: Plan, palette: Palette) -> list[str]:
    """What goes from node to node, and what should and cannot."""
    lines = []
    for name in plan.left_out:
        words = "left out: what it has is started elsewhere; if it is alive, it goes on there too"
        lines.append(f"{palette.paint(name, 'bold')}  {words}")
    for move in plan.moves:
        note = f"  ({move.note})" if move.note else ""
        name = palette.paint(one_line(move.workload), "cyan")
        lines.append(f"moves: {name} {move.source} -> {move.target}{note}")
    for held in plan.held:
        first, *more = held.describe().splitlines()
        lines += [f"{palette.paint('held:', 'red')} {first}", *(f"  {line}" for line in more)]
    return [*lines, ""] if lines else []


def render_counts(plan: Plan) -> str:
    """The plan in one line."""
    if not plan.changed:
        ready = len(plan.nodes) - len(plan.blocked)
        words = [f"nothing to change on {plural(ready, 'node')}"]
    else:
        words = [f"{plural(len(plan.changed), 'node')} to change", *_count_words(plan)]
    if plan.blocked:
        words.append(f"{plural(len(plan.blocked), 'node')} cannot be changed")
    if plan.unreachable:
        words.append(f"{plural(len(plan.unreachable), 'node')} unreachable")
    if plan.moves:
        words.append(f"{plural(len(plan.moves), 'replica')} to move")
    if plan.held:
        words.append(f"{len(plan.held)} held")
    return " · ".join(words)


def render_plan_json(plan: Plan) -> str:
    """The plan as JSON; the format is described in ``docs/plan-json.md``."""
    return json.dumps(plan_to_builtins(plan), indent=2)


def plan_to_builtins(plan: Plan) -> dict[str, object]:
    """The plan as plain values: format, cloud, nodes with their steps, unreachable, counts."""
    nodes = {
        name: {
            "generation": node.base,
            "next_generation": node.number,
            "blockers": list(node.blockers),
            "notes": list(node.notes),
            "steps": [msgspec.to_builtins(step) for step in node.steps],
        }
        for name, node in plan.nodes.items()
    }
    return {
        "format": 1,
        "cloud": plan.cloud,
        "changes": sum(len(node.steps) for node in plan.changed),
        "roll": msgspec.to_builtins(plan.roll),
        "nodes": nodes,
        "unreachable": dict(plan.unreachable),
        "left_out": list(plan.left_out),
        "moves": [msgspec.to_builtins(move) for move in plan.moves],
        "held": [msgspec.to_builtins(held) for held in plan.held],
    }


def _count_words(plan: Plan) -> list[str]:
    steps = [step for node in plan.changed for step in node.steps]
    files = Counter(step.kind for step in steps if isinstance(step, WriteFile))
    files_removed = sum(isinstance(step, RemoveFile) for step in steps)
    units = Counter(step.action for step in steps if isinstance(step, ActOnUnit))
    images = [step for step in steps if isinstance(step, SendImage)]
    words = []
    file_words = [
        f"{count} to {kind}"
        for kind, count in (*sorted(files.items()), ("remove", files_removed))
        if count
    ]
    if file_words:
        words.append("files: " + ", ".join(file_words))
    unit_words = [f"{units[action]} to {action.value}" for action in UnitAction if units[action]]
    if unit_words:
        words.append("units: " + ", ".join(unit_words))
    secrets = sum(isinstance(step, SendSecret) for step in steps)
    gone = sum(isinstance(step, RemoveSecret) for step in steps)
    secret_words = [f"{secrets} to send"] if secrets else []
    secret_words += [f"{gone} to remove"] if gone else []
    if secret_words:
        words.append("secrets: " + ", ".join(secret_words))
    if images:
        size = format_bytes(sum(step.size for step in images))
        words.append(f"{plural(len(images), 'image')} to send ({size} unpacked)")
    return words


def _by_workload(node: NodePlan) -> list[tuple[str, list[AnyStep]]]:
    groups: dict[str, list[AnyStep]] = {}
    for step in node.steps:
        name = ", ".join(step.workloads)
        if name or isinstance(step, RecordGeneration | RemoveSecret | SendSecret):
            groups.setdefault(name or "(the node itself)", []).append(step)
    return sorted(groups.items())


def _step_lines(step: AnyStep, palette: Palette, *, is_verbose: bool) -> list[str]:
    indent = "    "
    if isinstance(step, WriteFile):
        mark, colour = _MARKS[step.kind]
        lines = [f"{indent}{palette.paint(f'{mark} {one_line(step.path)}', colour)}  {step.why}"]
        # Without the new text (a rollback: it is on the node) there is nothing to compare.
        is_compared = step.kind != "add" or step.old is not None or is_verbose
        if step.new is not None and is_compared:
            lines += _diff_lines(step.old or "", step.new, palette)
        return lines
    if isinstance(step, RemoveFile):
        return [f"{indent}{palette.paint(f'- {one_line(step.path)}', 'red')}  no longer wanted"]
    if isinstance(step, SendSecret):
        mark, colour = _MARKS[_SECRET_MARKS.get(step.why, "restore")]
        name = palette.paint(f"{mark} secret {one_line(step.of)}", colour)
        return [f"{indent}{name}  {step.why}"]
    if isinstance(step, RemoveSecret):
        return [f"{indent}{palette.paint(f'- secret {one_line(step.of)}', 'red')}  {step.why}"]
    if isinstance(step, ActOnUnit):
        verb = palette.paint(step.action.value, "bold")
        return [f"{indent}{verb} {one_line(step.unit)}  {step.why}"]
    if isinstance(step, SendImage):
        size = format_bytes(step.size)
        words = f"send image {step.reference}  {step.image_id[:12]}, {size} unpacked"
        return [f"{indent}{one_line(words)}"]
    return [f"{indent}{one_line(step.describe())}"]


def _diff_lines(old: str, new: str, palette: Palette) -> list[str]:
    from difflib import unified_diff

    diff = list(unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    shown = []
    for line in diff[:_DIFF_LIMIT]:
        colour = {"+": "green", "-": "red", "@": "dim"}.get(line[:1])
        text = visible(line)
        shown.append("        " + (palette.paint(text, colour) if colour else text))
    if len(diff) > _DIFF_LIMIT:
        shown.append(f"        … {len(diff) - _DIFF_LIMIT} more lines")
    return shown
