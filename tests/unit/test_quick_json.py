"""The node program's JSON is the library's, read and written without the library around it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry_node import quick_json
from skerry_node.quick_json import dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
)


@given(VALUES)
def test_it_writes_and_reads_as_the_library_does(value: Any) -> None:
    text = dumps(value)
    assert text == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert loads(text) == json.loads(text) == value
    spaced = json.dumps(value, indent=1) + "\r\n\t "
    assert loads(spaced.encode()) == value


@given(st.text(alphabet='{}[]":,0123456789.eE+-truefalsnN \n\\x') | st.text())
def test_it_refuses_what_the_library_refuses(text: str) -> None:
    try:
        wanted = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):
            loads(text)
    else:
        assert repr(loads(text)) == repr(wanted)


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"{} {}", b'"a\nb"', b"[1,]", b"nul"])
def test_what_is_no_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        loads(content)


def test_what_is_too_deep_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        loads("[" * 200_000)


def test_what_json_has_no_form_for_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="set is nothing for JSON"):
        dumps({"a": {1}})


def test_another_interpreter_takes_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_json, "_scan", None)
    monkeypatch.setattr(quick_json, "_encode", None)
    assert loads(b'{"a": [1, null]}') == {"a": [1, None]}
    assert dumps({"b": "\xe9", "a": 1.5}) == '{"a":1.5,"b":"\xe9"}'
    with pytest.raises(ValueError):
        loads("{")


def test_no_op_that_looks_or_switches_loads_the_library() -> None:
    """It is more than half of what a node program would import."""
    words = (
        "import sys; from skerry_node import __main__, activate, observe, push, switch; "
        "print(*sorted({'json', 're', 'typing', 'enum', 'subprocess'} & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, 'src'); " + words],
        capture_output=True,
        check=True,
        text=True,
    )
    assert finished.stdout.split() == []
