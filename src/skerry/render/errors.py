"""Errors as text for people or JSON for programs."""

from __future__ import annotations

import json

from skerry.errors import CloudInvalid, NodeError, NodeProgramFailed, SkerryError
from skerry.render.text import one_line, visible


def render_error(error: SkerryError, *, as_json: bool = False) -> str:
    """The error as lines without a final newline: what, where, and what to do."""
    if as_json:
        return json.dumps(error_to_builtins(error))
    lines: list[str] = []
    if isinstance(error, CloudInvalid):
        lines += [one_line(str(problem)) for problem in error.problems]
    where = f"{error.node}: " if isinstance(error, NodeError) else ""
    lines.append(f"error: {one_line(where + error.message)}  [{error.id}]")
    lines += [f"  | {visible(line)}" for line in error.detail.splitlines()]
    if error.hint:
        lines.append(f"  hint: {one_line(error.hint)}")
    return "\n".join(lines)


def error_to_builtins(error: SkerryError) -> dict[str, object]:
    """The error as a JSON object: id, message, hint, detail, and node, reason, problems if any."""
    shown: dict[str, object] = {
        "error": error.id,
        "message": error.message,
        "hint": error.hint,
        "detail": error.detail,
    }
    if isinstance(error, NodeError):
        shown["node"] = error.node
    if isinstance(error, NodeProgramFailed):
        shown["reason"] = error.reason
    if isinstance(error, CloudInvalid):
        shown["problems"] = [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "hint": problem.hint,
            }
            for problem in error.problems
        ]
    return shown
