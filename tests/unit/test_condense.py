"""What is taken out of the node program on its way, and that nothing else is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from skerry.edge.condense import condense
from tests.unit.sources import SOURCE

NODE_MODULES = sorted((SOURCE / "skerry_node").glob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Bare(ast.NodeTransformer):
    """Takes out of a tree what `condense` takes out of a text, by the rules of the tree."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        node.body = [
            one
            for one in node.body
            if not (isinstance(one, ast.ImportFrom) and one.module == "__future__")
            and not (isinstance(one, ast.If | ast.Assign) and "TYPE_CHECKING" in ast.unparse(one))
        ]
        return self.without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self.without_docstring(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.returns is not None and node.returns.lineno == node.returns.end_lineno:
            node.returns = None
        return self.without_docstring(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        plain: ast.stmt = ast.Pass()
        if node.value is not None:
            plain = ast.Assign(targets=[node.target], value=node.value)
        return ast.copy_location(plain, node)

    def without_docstring(self, node: ast.Module | ast.ClassDef | ast.FunctionDef) -> ast.AST:
        if ast.get_docstring(node) is not None:
            first = node.body.pop(0)
            if not node.body and not isinstance(node, ast.Module):
                node.body = [ast.Pass(lineno=first.lineno, col_offset=first.col_offset)]
        return self.generic_visit(node)


def places(tree: ast.AST) -> list[tuple[str, int, int]]:
    """What stands where, in order; of a part of a statement its line alone."""
    return [
        (type(node).__name__, node.lineno, node.col_offset if isinstance(node, ast.stmt) else 0)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr | ast.arg)
    ]


@pytest.mark.parametrize("path", NODE_MODULES, ids=lambda path: path.stem)
def test_each_statement_of_the_node_program_is_the_same_in_its_place(path: Path) -> None:
    source = path.read_bytes()
    wanted = Bare().visit(ast.parse(source))
    found = ast.parse(condense(source))
    assert ast.dump(found) == ast.dump(wanted)
    assert places(found) == places(wanted)
    assert condense(condense(source)) == condense(source)


def test_there_are_modules_to_look_at() -> None:
    assert len(NODE_MODULES) > 30


@pytest.mark.parametrize(
    ("source", "condensed"),
    [
        ('"""Says what."""\n\nX = 1  # why\n', "\n\nX = 1\n"),
        ('class A(Exception):\n    """All of it."""\n', "class A(Exception):\n    pass\n"),
        ('def f():\n    """What\n    it is."""\n    return 1\n', "def f():\n\n\n    return 1\n"),
        (
            'X = "# no comment", """\n# nor this\n"""\n',
            'X = "# no comment", """\n# nor this\n"""\n',
        ),
        ('X = "é"  # après, é\n', 'X = "é"\n'),
        (
            "def f(é: int = 3, *a: str, b: int, **c: int) -> int: ...\n",
            "def f(é = 3, *a, b, **c): ...",
        ),
        (
            "def f(\n    a: D[  # why\n        str, X\n    ],\n    b: int,\n) -> X:\n    g()\n",
            "def f(\n    a\n\n,\n    b,\n):\n    g()\n",
        ),
        (
            "def f(a=(1, 2)) -> X[\n    int\n]:\n    pass\n",
            "def f(a=(1, 2)) -> X[\n    int\n]:\n    pass\n",
        ),
        ("x: int = 1\nself.y: Dict[str, int] = {}\nz: int\n", "x = 1\nself.y = {}\npass\n"),
        (
            "from __future__ import annotations\n\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n"
            "    # What for.\n    from typing import Any\n\nX = 1\n",
            "\n\n\n\n\n\n\nX = 1\n",
        ),
        ("'one'\n'two'\n", "\n'two'\n"),
    ],
)
def test_condensed(source: str, condensed: str) -> None:
    assert condense(source.encode()).decode().rstrip() == condensed.rstrip()


def test_what_is_no_python_is_said() -> None:
    with pytest.raises(SyntaxError):
        condense(b"def f(:\n")
