"""The history as a table or as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from skerry.errors import NodeError
from skerry.observe.history import HistoryRow
from skerry.render.table import Cell, Column, Row, choose_columns, render_table
from skerry.render.text import Palette, one_line, plural

COLUMNS = (
    Column("generation"),
    Column("nodes"),
    Column("when"),
    Column("who"),
    Column("state"),
    Column("message"),
    Column("changes"),
    Column("rollback-of", is_default=False),
)
_COLOURS = {"active": "green", "failed": "red", "unconfirmed": "red"}


def render_history(
    rows: Sequence[HistoryRow],
    palette: Palette,
    *,
    columns: str | None = None,
    has_header: bool = True,
    is_verbose: bool = False,
) -> str:
    """A line per apply; with `is_verbose` all of its changes below it.

    Raises `UsageError` for a column that there is not.
    """
    chosen = choose_columns(COLUMNS, columns)
    cells = [_cells(row) for row in rows]
    lines = render_table(chosen, cells, palette, has_header=has_header).splitlines()
    if not is_verbose:
        return "\n".join(lines)
    shown = [lines.pop(0)] if has_header else []
    for line, row in zip(lines, rows, strict=True):
        shown += [line, *(palette.paint(f"    {one_line(one)}", "dim") for one in row.changes)]
    return "\n".join(shown)


def render_history_json(rows: Sequence[HistoryRow], unreachable: Mapping[str, NodeError]) -> str:
    """The rows as JSON; ``docs/history-json.md`` describes it."""
    shown = {
        "format": 1,
        "history": [msgspec.to_builtins(row) for row in rows],
        "unreachable": {name: error.message for name, error in unreachable.items()},
    }
    return json.dumps(shown, indent=2)


def _cells(row: HistoryRow) -> Row:
    states = set(row.states.values())
    worst = next((state for state in _COLOURS if state in states), "")
    message = row.message
    if row.rollback_of and "rollback" not in message:
        message = f"{message} (rollback)".strip()
    first = row.changes[0] if row.changes else ""
    more = f" (+{len(row.changes) - 1})" if len(row.changes) > 1 else ""
    return {
        "generation": _by_node(row.numbers),
        "when": _shown_time(row.when),
        "who": row.who,
        "state": Cell(_by_node(row.states), (_COLOURS[worst],) if worst else ()),
        "message": Cell(message, ("bold",)),
        "changes": first + more,
        "nodes": ",".join(row.numbers),
        "rollback-of": _by_node(row.rollback_of) if row.rollback_of else "",
    }


def _by_node(values: Mapping[str, int] | Mapping[str, str]) -> str:
    """``3`` where all have the same; else ``3 alpha,beta; 2 gamma``."""
    if len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    pairs = sorted((str(value), node) for node, value in values.items())
    groups = groupby(pairs, key=lambda pair: pair[0])
    return "; ".join(f"{value} {','.join(node for _, node in pairs)}" for value, pairs in groups)


def render_history_line(rows: Sequence[HistoryRow], nodes: int) -> str:
    """The one line at the end."""
    return f"{plural(len(rows), 'change')} on {plural(nodes, 'node')}"


def _shown_time(when: float) -> str:
    """Nothing for a generation whose record on the node is damaged: nobody knows."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when)) if when else ""
