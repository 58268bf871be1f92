"""Names, docstrings and sizes: the rules of DESIGN that a program can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.sources import ROOT, python_files, shown

BANNED = {
    "manager", "managers", "helper", "helpers", "util", "utils", "handle", "handler", "handlers",
    "data", "info", "misc", "ctx",
}  # fmt: skip
LINE_LIMIT = 500
# A file over the limit, and why it is one file.
LONG_FILES: dict[str, str] = {}
# Classes whose overridden methods take their parameters' names from elsewhere.
FOREIGN_BASES = ("click.", "ast.", "json.", "threading.", "Thread")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def words_of(name: str) -> list[str]:
    """The words of a name in snake_case or CamelCase, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]


def is_public(name: str) -> bool:
    """Whether the name is for other modules."""
    return not name.startswith("_")


def definitions(tree: ast.Module) -> Iterator[tuple[Definition, ast.ClassDef | None]]:
    """Functions and classes of a module and of its classes, with the class they are in."""
    waiting: list[tuple[ast.stmt, ast.ClassDef | None]] = [(node, None) for node in tree.body]
    while waiting:
        node, owner = waiting.pop(0)
        if isinstance(node, Definition):
            yield node, owner
        if isinstance(node, ast.ClassDef):
            waiting += [(child, node) for child in node.body]


@cache
def classes_by_name() -> dict[str, ast.ClassDef]:
    """All classes of the sources, for bases that are imported."""
    return {
        node.name: node
        for path in python_files("src", "bench", "tools")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }


def methods_of(owner: ast.ClassDef) -> set[str]:
    """The names of a class's own methods and properties."""
    return {one.name for one in owner.body if isinstance(one, Definition)}


@cache
def protocols() -> list[set[str]]:
    """What each Protocol of the sources asks for: a class that has all of it implements it."""
    return [
        methods_of(one)
        for one in classes_by_name().values()
        if any(ast.unparse(base) == "Protocol" for base in one.bases)
    ]


def overrides(node: Definition, owner: ast.ClassDef | None, tree: ast.Module) -> bool:
    """Whether a method has its name and meaning from a class that `owner` is derived from."""
    if owner is None:
        return False
    if any(node.name in names <= methods_of(owner) for names in protocols()):
        return True
    here = {one.name: one for one in tree.body if isinstance(one, ast.ClassDef)}
    for base in owner.bases:
        name = ast.unparse(base)
        if name.startswith(FOREIGN_BASES):
            return True
        parent = here.get(name) or classes_by_name().get(name)
        if parent is not None and (
            node.name in methods_of(parent) or overrides(node, parent, tree)
        ):
            return True
    return False


def is_plain_property(node: Definition) -> bool:
    """Whether it is a property of one line: its name says all."""
    is_property = any(ast.unparse(one) == "property" for one in node.decorator_list)
    return is_property and len(node.body) == 1 and isinstance(node.body[0], ast.Return)


def name_breaches(path: Path, tree: ast.Module) -> Iterator[str]:
    """Public names, and parameters, that say nothing."""
    yield from (
        f"{shown(path)}: the module's name has {word!r}"
        for word in words_of(path.stem)
        if word in BANNED
    )
    for node, owner in definitions(tree):
        where = f"{shown(path)}:{node.lineno}: {node.name}"
        words = words_of(node.name)
        if is_public(node.name) and BANNED & set(words):
            yield f"{where}: {BANNED & set(words)}"
        if not isinstance(node, ast.ClassDef):
            if words[:1] == ["process"]:
                yield f"{where}: `process` is no verb here"
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            for argument in arguments:
                if BANNED & set(words_of(argument.arg)) and not overrides(node, owner, tree):
                    yield f"{where}: the parameter {argument.arg}"


def docstring_breaches(path: Path, tree: ast.Module) -> Iterator[str]:
    """Public modules, classes, functions and methods that do not say what they mean."""
    if ast.get_docstring(tree) is None and path.read_text().strip():
        yield f"{shown(path)}: the module has no docstring"
    for node, owner in definitions(tree):
        if not is_public(node.name) or (owner is not None and not is_public(owner.name)):
            continue
        is_clear = is_plain_property(node) or overrides(node, owner, tree)
        if ast.get_docstring(node) is None and not is_clear:
            yield f"{shown(path)}:{node.lineno}: {node.name} has no docstring"


@pytest.mark.parametrize("path", python_files("src", "bench", "tools"), ids=shown)
def test_names_say_what_things_are(path: Path) -> None:
    assert not list(name_breaches(path, ast.parse(path.read_text())))


@pytest.mark.parametrize("path", python_files("src", "bench", "tools"), ids=shown)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    assert not list(docstring_breaches(path, ast.parse(path.read_text())))


@pytest.mark.parametrize(
    "source",
    [
        "class FileManager: pass",
        "def read_info(): pass",
        "def process_file(): pass",
        "def read(ctx): pass",
        "class HTTPHelper: pass",
        "class A:\n    def read_data(self): pass",
    ],
)
def test_a_banned_name_is_seen(source: str) -> None:
    assert list(name_breaches(ROOT / "src/skerry/plan/plan.py", ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        '"""M."""\ndef f(): pass',
        '"""M."""\nclass A: pass',
        '"""M."""\nclass A:\n    """A."""\n    def f(self): pass',
        '"""M."""\nclass B:\n    """B."""\nclass A(B):\n    """A."""\n    def f(self): pass',
    ],
)
def test_a_missing_docstring_is_seen(source: str) -> None:
    assert list(docstring_breaches(ROOT / "src/skerry/plan/plan.py", ast.parse(source)))


def test_an_overriding_method_needs_no_docstring_of_its_own() -> None:
    source = (
        '"""M."""\nclass B:\n    """B."""\n    def f(self):\n        """F."""\n'
        'class A(B):\n    """A."""\n    def f(self): pass'
    )
    assert not list(docstring_breaches(ROOT / "src/skerry/plan/plan.py", ast.parse(source)))


def test_files_are_of_a_size_that_can_be_read() -> None:
    long = {
        shown(path): count
        for path in python_files("src", "tests", "bench", "tools")
        if (count := len(path.read_text().splitlines())) > LINE_LIMIT
    }
    unexplained = {name: count for name, count in long.items() if name not in LONG_FILES}
    assert not unexplained, f"over {LINE_LIMIT} lines: split them, or say why not: {unexplained}"
    stale = set(LONG_FILES) - set(long)
    assert not stale, f"no longer long: {stale}"
