"""``docs/errors.md``: exit codes and error ids, from ``errors.py`` and the node program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

from tools.docs.structs import markdown

from skerry import errors
from skerry.errors import ExitCode, SkerryError

NODE_PROGRAM = Path(errors.__file__).parent.parent / "skerry_node"
EXIT_CODES = {
    ExitCode.DONE: "Done; or there was nothing to do.",
    ExitCode.BUG: "A bug (it says where its report is), or something failed on this machine.",
    ExitCode.INVALID: "Wrong usage, or an invalid cloud folder. Nothing was touched.",
    ExitCode.NODE_FAILED: "Some node failed or was unreachable. The others were done.",
    ExitCode.DRIFT: "`skerry diff` found a difference.",
    ExitCode.LOCKED: "Somebody else is at work on a node. Nothing was changed.",
}
HEAD = """\
# Exit codes and errors

An error has an id that does not change, a message that says what is wrong and where, and where
there is something to do, a hint:

    error: beta: no answer within 10 s  [node-unreachable]
      hint: ...

With `--json` it is one JSON object on standard error: `error` (the id), `message`, `hint`,
`detail` (further lines: a log's end, a command's own words), `node` where it concerns one,
`reason` (an id of the second table) with `node-program`, and `problems` where the cloud folder has
errors (each with `file`, `line`, `column`, `message`, `hint`).
"""
NODE_HEAD = """\
## What a node says

The node program tells its own faults in the same way. `locked` is an error of its own; all
others are shown under `node-program`, with the fault's id as `reason`. What each of them says (`…`
stands for a value):

| id | says |
|---|---|
"""


def render_page() -> str:
    """The page."""
    lines = [HEAD, "## Exit codes\n", "| code | meaning |", "|---|---|"]
    lines += [f"| {code.value} | {EXIT_CODES[code]} |" for code in ExitCode]
    lines += [
        "",
        "`skerry exec` passes on the exit status of the command. 130 is Ctrl-C, 143 SIGTERM, and "
        "129 a terminal that was closed.",
        "",
        "## Errors",
        "",
        "| id | exit code | meaning |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{kind.id}` | {kind.exit_code.value} | {_meaning(kind)} |"
        for kind in sorted(error_kinds(), key=lambda kind: kind.id)
    ]
    lines += ["", NODE_HEAD.rstrip("\n")]
    lines += [
        f"| `{name}` | {' · '.join(sorted(messages))} |"
        for name, messages in sorted(read_node_faults().items())
    ]
    return "\n".join(lines) + "\n"


def error_kinds() -> list[type[SkerryError]]:
    """All error classes that a person can meet, by their ids."""
    kinds: list[type[SkerryError]] = []
    waiting: list[type[SkerryError]] = [SkerryError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "id" in vars(kind) and kind is not SkerryError:
            kinds.append(kind)
    return kinds


def read_node_faults() -> dict[str, set[str]]:
    """The ids of the node program's faults, each with the messages that it is raised with."""
    found: dict[str, set[str]] = {}
    for path in sorted(NODE_PROGRAM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).rpartition(".")[2] == "NodeFault"
                and len(node.args) >= 2
            ):
                for name in _texts(node.args[0]):
                    found.setdefault(name, set()).update(map(_message, _texts(node.args[1])))
    return {name: {text for text in texts if text} or {"…"} for name, texts in found.items()}


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be, values replaced by an ellipsis."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        yield from (re.sub(r"%[-0-9.]*[srdgif]", "…", text) for text in _texts(node.left))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = list(_texts(node.left)) or ["…"], list(_texts(node.right)) or ["…"]
        yield from (first + second for first in left for second in right)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


def _message(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def _meaning(kind: type[SkerryError]) -> str:
    text = cleandoc(kind.__doc__ or "").split("\n\n")[0]
    return markdown(re.sub(r"\s+", " ", text))
