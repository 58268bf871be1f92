"""Python sources without what only people read, for the way to a node.

Docstrings, comments, annotations and what is there for the type checker alone are taken out; they
are half of the node program. Every statement stays in its line and column, so a traceback from a
node is read beside the sources as they are in the repository.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CHECKER_ONLY = "TYPE_CHECKING"
# A statement that does nothing, where there has to be one.
_NOTHING = b"pass"


class Cut(NamedTuple):
    """A stretch of a source that goes, from one offset to another, in bytes."""

    start: int
    end: int
    instead: bytes = b""


def condense(source: bytes) -> bytes:
    """The same program for an interpreter, each statement where it was.

    Docstrings and annotations do not exist at run time any more. Raises SyntaxError for what is
    not Python; the source is UTF-8.
    """
    cuts = sorted({*_find_statements(source), *_find_comments(source)})
    parts: list[bytes] = []
    done = 0
    for cut in cuts:
        # What lies within a longer cut, which starts earlier, is gone already.
        if cut.start >= done:
            breaks = b"\n" * source.count(b"\n", cut.start, cut.end)
            parts += (source[done : cut.start], cut.instead + breaks)
            done = cut.end
            if source[done : done + 1] == b"\n" and not cut.instead:
                parts[-2] = parts[-2].rstrip(b" ")
    return b"".join((*parts, source[done:]))


def _find_comments(source: bytes) -> Iterator[Cut]:
    lines = source.decode().splitlines(keepends=True)
    starts = _line_starts(source)
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            # The tokenizer counts characters.
            start = starts[row - 1] + len(lines[row - 1][:column].encode())
            yield Cut(start, start + len(token.string.encode()))


def _find_statements(source: bytes) -> Iterator[Cut]:
    starts = _line_starts(source)

    def begin(node: ast.stmt | ast.expr | ast.arg) -> int:
        return starts[node.lineno - 1] + node.col_offset

    def end(node: ast.stmt | ast.expr) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return starts[node.end_lineno - 1] + node.end_col_offset

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            is_all = len(node.body) == 1 and not isinstance(node, ast.Module)
            yield Cut(begin(node.body[0]), end(node.body[0]), _NOTHING if is_all else b"")
        if isinstance(node, ast.Module):
            for statement in filter(_is_for_the_checker, node.body):
                yield Cut(begin(statement), end(statement))
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield Cut(begin(node) + len(node.arg.encode()), end(node.annotation))
        if isinstance(node, _FUNCTIONS) and node.returns is not None:
            arrow = source.rindex(b")", 0, begin(node.returns)) + 1
            # A line may not be broken there, outside of the parentheses.
            if node.returns.lineno == node.returns.end_lineno:
                yield Cut(arrow, end(node.returns))
        if isinstance(node, ast.AnnAssign):
            if node.value is None:
                yield Cut(begin(node), end(node), _NOTHING)
            elif node.annotation.lineno == node.annotation.end_lineno:
                yield Cut(end(node.target), end(node.annotation))


def _is_for_the_checker(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    named: list[ast.expr] = []
    if isinstance(statement, ast.If):
        named = [statement.test]
    elif isinstance(statement, ast.Assign):
        named = statement.targets
    return any(isinstance(one, ast.Name) and one.id == _CHECKER_ONLY for one in named)


def _line_starts(source: bytes) -> list[int]:
    """The offset of each line's beginning."""
    return list(accumulate((len(line) for line in source.split(b"\n")[:-1]), _next_line, initial=0))


def _next_line(start: int, length: int) -> int:
    return start + length + 1
