"""msgspec learns a type when it is first used, and crashes when two threads do so at once.

Reproduced with msgspec 0.22: of four threads that convert a new type, 2 runs of 60 ended with a
segmentation fault, and none of 200 where a decoder of the type was made before. So a module whose
functions run in threads makes one when it is imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.unit.sources import python_files, shown

# What `fan_out` calls lies here.
THREADED = ("activate", "bootstrap", "edge", "observe", "push")


def unlearned_types(tree: ast.Module) -> Iterator[str]:
    """The types that a module converts to without a decoder of them at its top."""
    learned = {
        ast.unparse(node.value.args[0])
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "msgspec.json.Decoder"
        and node.value.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "msgspec.convert":
            name = ast.unparse(node.args[1])
            if name not in learned:
                yield name


@pytest.mark.parametrize("folder", THREADED)
def test_types_are_learned_in_one_thread(folder: str) -> None:
    found = {
        shown(path): names
        for path in python_files(f"src/skerry/{folder}")
        if (names := list(unlearned_types(ast.parse(path.read_text()))))
    }
    assert not found


def test_a_type_that_is_not_learned_is_seen() -> None:
    assert list(unlearned_types(ast.parse("def f(x):\n    return msgspec.convert(x, A)"))) == ["A"]
    good = "decoder = msgspec.json.Decoder(A)\ndef f(x):\n    return msgspec.convert(x, A)"
    assert not list(unlearned_types(ast.parse(good)))
