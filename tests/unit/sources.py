"""The project's own source files, for the tests that are rules about them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src"
# Standard library that click and the like import anyway is not in here.
HEAVY = ("asyncio", "concurrent.futures", "difflib", "rich", "yaml", "zstandard")


def python_files(*folders: str) -> list[Path]:
    """All Python files below folders of the project, sorted."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def shown(path: Path) -> str:
    """The path as people write it, from the project's root."""
    return str(path.relative_to(ROOT))


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, list[str], int]]:
    """Every absolute import: the module, the names taken from it (none for ``import``), the line.

    An import below ``if TYPE_CHECKING`` counts too.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, [], node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or "", [alias.name for alias in node.names], node.lineno
