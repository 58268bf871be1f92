"""The marks of tests that documents are made of, read without running them.

``@pytest.mark.honours("TYPE.FIELD", ...)`` names fields of Kubernetes, ``@pytest.mark.fault("ID",
...)`` faults of ``tests/faults.py``, ``@pytest.mark.claims("ID", ...)`` claims of
``tools/docs/security.md``.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LIVE = ROOT / "tests/live"

_WRITTEN = {
    "claims": "ids of `claims`",
    "fault": "ids of `fault`",
    "honours": 'fields of `honours`, "TYPE.FIELD",',
}


class Mark(NamedTuple):
    """A test that shows something: a `field` honoured, or the fault of that name.

    `file` is relative to the repository.
    """

    field: str
    file: str
    line: int
    test: str


def read_marks(folder: Path = LIVE, *, name: str = "honours") -> list[Mark]:
    """All marks of this name below a folder of tests, by file and line.

    Raises ValueError where an argument is no plain text.
    """
    found = []
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found += _marks_of(node, str(path.relative_to(folder.parents[1])), name)
    return sorted(found, key=lambda mark: (mark.file, mark.line, mark.field))


def _marks_of(owner: ast.FunctionDef | ast.ClassDef, file: str, name: str) -> list[Mark]:
    """The marks in an owner's decorators, those of single parameters (`marks=`) as well."""
    found = []
    for decorator in owner.decorator_list:
        for call in ast.walk(decorator):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func).endswith(f"mark.{name}")):
                continue
            for argument in call.args:
                if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                    raise ValueError(
                        f"{file}:{argument.lineno}: write the {_WRITTEN[name]} as plain text: "
                        f"`{ast.unparse(argument)}` cannot be read here"
                    )
                found.append(Mark(argument.value, file, argument.lineno, owner.name))
    return found
