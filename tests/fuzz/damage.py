"""A document that is right, and the same with something wrong in it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.fuzz import hostile

Path = tuple[str | int, ...]
# JSON's strings are YAML's, but for these, which YAML wants escaped.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def paths_of(value: Any, here: Path = ()) -> Iterator[Path]:
    """The ways to all values of a document, the document's own included."""
    yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*here, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_of(inner, (*here, index))


def text_paths(value: Any) -> list[Path]:
    """The ways to all texts of a document."""
    return [path for path in paths_of(value) if isinstance(at(value, path), str)]


def at(value: Any, path: Path) -> Any:
    """What lies there."""
    for step in path:
        value = value[step]
    return value


def replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy of the document with another value there."""
    if not path:
        return new
    whole = copy.deepcopy(value)
    at(whole, path[:-1])[path[-1]] = new
    return whole


@st.composite
def one_thing_wrong(draw: st.DrawFn, document: Any, values: st.SearchStrategy[Any]) -> Any:
    """The document with one value replaced, one left out, one more, one renamed or one twice."""
    path = draw(st.sampled_from(list(paths_of(document))))
    how = draw(st.sampled_from(["replace", "replace", "leave out", "add", "rename", "repeat"]))
    parent = at(document, path[:-1]) if path else None
    if how == "replace" or parent is None:
        return replaced(document, path, draw(values))
    changed = copy.deepcopy(parent)
    key = path[-1]
    if how == "leave out":
        del changed[key]
    elif isinstance(changed, dict) and how == "add":
        changed[draw(hostile.texts)] = draw(values)
    elif isinstance(changed, dict):
        changed = {draw(hostile.texts) if one == key else one: it for one, it in changed.items()}
    elif how == "add":
        changed.append(draw(values))
    else:
        changed.append(copy.deepcopy(changed[key]))
    return replaced(document, path[:-1], changed)


@st.composite
def other_number_in(draw: st.DrawFn, document: Any) -> Any:
    """The document with a number that nobody can count with, or that is no such number."""
    paths = [
        path
        for path in paths_of(document)
        if isinstance(at(document, path), int | float) and not isinstance(at(document, path), bool)
    ]
    if not paths:
        return document
    return replaced(document, draw(st.sampled_from(paths)), draw(hostile.numbers))


@st.composite
def hostile_text_in(draw: st.DrawFn, document: Any) -> Any:
    """The document with a hostile text in place of one or several of its own."""
    for _ in range(draw(st.integers(1, 3))):
        paths = text_paths(document)
        if not paths:
            break
        path = draw(st.sampled_from(paths))
        document = replaced(document, path, draw(hostile.texts))
    return document


def dump(document: Any) -> bytes:
    """The document as YAML, in flow style."""
    text = json.dumps(document, ensure_ascii=False)
    text = _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text.encode("utf-8", "surrogatepass")
