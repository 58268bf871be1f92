"""The list of secrets.yaml's names as a table or as JSON; never a value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

from skerry.model.secrets_file import SecretsFile
from skerry.render.table import Column, Row, render_table
from skerry.render.text import Palette, plural

COLUMNS = (
    Column("name"),
    Column("since"),
    Column("kind", is_default=False),
    Column("secrets"),
    Column("pods"),
    Column("nodes"),
)


class UsedBy(Protocol):
    """What uses one value: names of Secrets, workloads and nodes."""

    @property
    def secrets(self) -> tuple[str, ...]: ...

    @property
    def pods(self) -> tuple[str, ...]: ...

    @property
    def nodes(self) -> tuple[str, ...]: ...


def render_secrets(
    file: SecretsFile,
    users: Mapping[str, UsedBy] | None,
    columns: Sequence[Column],
    palette: Palette,
    *,
    has_header: bool,
) -> str:
    """The names as a table, with counts at the end."""
    rows: list[Row] = []
    for name in sorted(file.secrets):
        entry, uses = file.secrets[name], users[name] if users is not None else None
        rows.append(
            {
                "name": name,
                "since": (entry.since or "").replace("T", " ").removesuffix("Z"),
                "kind": _kind(file, name),
                "secrets": ",".join(uses.secrets) if uses is not None else "?",
                "pods": ",".join(uses.pods) if uses is not None else "?",
                "nodes": ",".join(uses.nodes) if uses is not None else "?",
            }
        )
    lines = [render_table(columns, rows, palette, has_header=has_header)] if rows else []
    if has_header:
        count = plural(len(file.recipients), "recipient")
        lines.append(f"{plural(len(rows), 'secret')}, encrypted to {count}")
    return "\n".join(lines)


def render_secrets_json(file: SecretsFile, users: Mapping[str, UsedBy] | None) -> str:
    """The same for programs; what uses them is null where the folder has errors."""
    rows = []
    for name in sorted(file.secrets):
        uses = users[name] if users is not None else None
        rows.append(
            {
                "name": name,
                "since": file.secrets[name].since,
                "kind": _kind(file, name),
                "secrets": list(uses.secrets) if uses is not None else None,
                "pods": list(uses.pods) if uses is not None else None,
                "nodes": list(uses.nodes) if uses is not None else None,
            }
        )
    return json.dumps({"format": 1, "recipients": list(file.recipients), "secrets": rows}, indent=2)


def _kind(file: SecretsFile, name: str) -> str:
    return "command" if file.secrets[name].command else "value"
