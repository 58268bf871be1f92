"""Specs as people read and edit them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.errors import UsageError
from skerry.images.slim.spec import Spec, parse_spec, render_spec, unite_specs

PATHS = st.text(st.characters(exclude_characters="\0", codec="utf-8")).map("/".__add__)


@given(st.lists(PATHS), st.lists(st.text()))
def test_what_is_written_is_read_again(paths: list[str], command: list[str]) -> None:
    spec = Spec(tuple(sorted(set(paths))), tuple(command))
    assert parse_spec(render_spec(spec), "spec") == spec


def test_text() -> None:
    spec = Spec(("/usr/bin/perl", "/b\nc", "/a b/**", "/\u00e9"), ("perl", "-v"))
    text = '# command: ["perl", "-v"]\n/a b/**\n"/b\\nc"\n/usr/bin/perl\n/\u00e9\n'
    assert render_spec(spec) == text
    assert parse_spec(f"# by hand\n\n{text}", "spec").paths == (
        "/a b/**",
        "/b\nc",
        "/usr/bin/perl",
        "/\u00e9",
    )


def test_specs_are_united() -> None:
    united = unite_specs([Spec(("/a",)), Spec(("/b", "/a"), ("x",)), Spec((), ("y",))])
    assert united == Spec(("/a", "/b"), ("x",))


@pytest.mark.parametrize(
    "line", ["usr/bin", '"/open', '"x"', "# command: perl", "# command: [1]", " /a"]
)
def test_what_is_no_path_is_said_with_its_place(line: str) -> None:
    with pytest.raises(UsageError, match=r"^spec:2: "):
        parse_spec(f"/a\n{line}\n", "spec")
