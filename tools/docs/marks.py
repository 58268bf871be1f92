"""The marks ``@pytest.mark.honours("TYPE.FIELD", ...)`` of the live tests, read without running."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LIVE = ROOT / "tests/live"


class Mark(NamedTuple):
    """A live test that shows a field honoured; `file` is relative to the repository."""

    field: str
    file: str
    line: int
    test: str


def read_marks(folder: Path = LIVE) -> list[Mark]:
    """All marks of the live tests, by file and line."""
    found = []
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found += _marks_of(node, str(path.relative_to(folder.parents[1])))
    return sorted(found, key=lambda mark: (mark.file, mark.line, mark.field))


def _marks_of(owner: ast.FunctionDef | ast.ClassDef, file: str) -> list[Mark]:
    """The marks in an owner's decorators, those of single parameters (`marks=`) as well."""
    found = []
    for decorator in owner.decorator_list:
        for call in ast.walk(decorator):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func).endswith("mark.honours")):
                continue
            for argument in call.args:
                if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                    raise ValueError(
                        f"{file}:{argument.lineno}: write the fields of `honours` as plain text, "
                        f'"TYPE.FIELD": `{ast.unparse(argument)}` cannot be read here'
                    )
                found.append(Mark(argument.value, file, argument.lineno, owner.name))
    return found
