"""Status as a table or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from skerry.errors import CloudInvalid, NodeError
from skerry.observe.status import STATES, ReplicaStatus, worst_state
from skerry.render.table import Cell, Column, Row, choose_columns, render_table
from skerry.render.text import Palette, plural
from skerry.render.units import format_age, format_memory
from skerry_node import wire

COLUMNS = (
    Column("workload"),
    Column("replica", is_default=False, is_number=True),
    Column("container", is_default=False),
    Column("node"),
    Column("state"),
    Column("restarts", is_number=True),
    Column("memory", is_number=True),
    Column("age", is_number=True),
    Column("last", is_default=False),
    Column("next", is_default=False, is_number=True),
    Column("image"),
    Column("ports"),
    Column("image-id", is_default=False),
    Column("generation", is_default=False, is_number=True),
    Column("units", is_default=False),
)
_COLOURS = {
    "running": "green",
    "completed": "green",
    "scheduled": "green",
    "waiting": "yellow",
    "suspended": "yellow",
    "starting": "yellow",
    "not-ready": "yellow",
    "stopping": "yellow",
    "stopped": "yellow",
    "restarting": "yellow",
    "extra": "magenta",
}


def notes_of(observed: Mapping[str, wire.Observed], invalid: CloudInvalid | None) -> list[str]:
    """What a person should know beside the rows: an invalid folder, locks, interrupted switches."""
    notes = []
    if invalid is not None:
        notes.append(
            f"{invalid.message} (`skerry check` shows them): "
            "this is what the nodes hold, not what they should"
        )
    for name, answer in observed.items():
        lock = answer["lock"]
        # A stale one is in nobody's way.
        if lock is not None and not cast("dict[str, object]", lock).get("is_stale"):
            notes.append(f"{name}: locked by {lock['who']} ({lock['why']})")
        if answer["unfinished"] is not None:
            notes.append(
                f"{name}: the switch to generation {answer['unfinished']} was interrupted; "
                "the next `skerry apply` finishes or undoes it"
            )
    return notes


def wants_containers(columns: str | None) -> bool:
    """Whether ``-o`` asks for a row per container."""
    return any(column.name == "container" for column in choose_columns(COLUMNS, columns))


def render_status(
    rows: Sequence[ReplicaStatus],
    palette: Palette,
    *,
    columns: str | None = None,
    has_header: bool = True,
) -> str:
    """The rows as a table. Raises `UsageError` for a column that there is not."""
    chosen = choose_columns(COLUMNS, columns)
    if columns is None and any(row.last or row.next_in is not None for row in rows):
        # Where there are cron jobs, what they did and will do is what one asks first.
        chosen = [one for one in COLUMNS if one in chosen or one.name in ("last", "next")]
    return render_table(chosen, [_cells(row) for row in rows], palette, has_header=has_header)


def render_status_line(
    rows: Sequence[ReplicaStatus],
    unreachable: Mapping[str, NodeError],
    *,
    nodes: int,
    seconds: float,
) -> str:
    """The one line at the end: how many replicas do what, on how many nodes, in how long."""
    replicas: dict[tuple[str, str, int | None], str] = {}
    for row in rows:
        if row.workload:
            key = (row.workload, row.node, row.replica)
            replicas[key] = worst_state((row.state, replicas.get(key, row.state)))
    counts = Counter(replicas.values())
    words = [f"{plural(len(replicas), 'replica')} on {plural(nodes, 'node')}"]
    words += [f"{counts[state]} {state}" for state in STATES if counts[state]]
    if unreachable:
        words.append(f"{plural(len(unreachable), 'node')} unreachable ({', '.join(unreachable)})")
    return " · ".join(words) + f" · {seconds:.2f} s"


def render_status_json(
    rows: Sequence[ReplicaStatus], unreachable: Mapping[str, NodeError], notes: Sequence[str]
) -> str:
    """The rows as JSON; ``docs/status-json.md`` describes it."""
    shown = {
        "format": 1,
        "replicas": [msgspec.to_builtins(row) for row in rows if row.workload],
        "unreachable": {name: error.message for name, error in unreachable.items()},
        "notes": list(notes),
    }
    return json.dumps(shown, indent=2)


def _cells(row: ReplicaStatus) -> Row:
    return {
        "workload": Cell(row.workload, ("bold",)),
        "replica": "" if row.replica is None else str(row.replica),
        "container": row.container,
        "node": row.node,
        "state": _state_cell(row),
        "restarts": "" if row.age is None and not row.restarts else str(row.restarts),
        "memory": _memory(row),
        "age": "" if row.age is None else format_age(row.age),
        "last": _last(row),
        "next": "" if row.next_in is None else format_age(row.next_in),
        "image": ",".join(row.images),
        "image-id": ",".join(image_id[:12] for image_id in row.image_ids),
        "ports": ",".join(row.ports),
        "generation": "" if row.generation is None else str(row.generation),
        "units": ",".join(row.units),
    }


def _last(row: ReplicaStatus) -> Cell | str:
    if not row.last or row.last_age is None:
        return ""
    text = f"{row.last} {format_age(row.last_age)} ago"
    return Cell(text, ("green" if row.last == "success" else "red",))


def _state_cell(row: ReplicaStatus) -> Cell:
    text = f"{row.state},{row.runs}" if row.state == "extra" and row.runs else row.state
    return Cell(text, (_COLOURS.get(row.state, "red"),))


def _memory(row: ReplicaStatus) -> str:
    if row.memory is None and row.memory_limit is None:
        return ""
    used = "?" if row.memory is None else format_memory(row.memory)
    return used if row.memory_limit is None else f"{used}/{format_memory(row.memory_limit)}"
