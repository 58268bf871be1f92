"""Variables as Kubernetes expands them, and words as Quadlet and systemd read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.compile.runtimes.quadlet import quote_systemd, quote_value, quote_word, render_unit
from skerry.compile.runtimes.values import (
    NodeVariable,
    SecretKey,
    Value,
    expand,
    join_parts,
    json_list,
    quote_value_word,
    secrets_of,
    text_value,
    try_text,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))")


# The first six are of the table in Kubernetes' own test of its package `expansion`.
@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"),
        ("foo$$bar", "foo$bar"),
        ("$(VAR_C", "$(VAR_C"),
        ("$(VAR_A)$(VAR_B", "A$(VAR_B"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$$(GOOD_ODDS)", "$$$(GOOD_ODDS)"),
        ("$VAR_A ${VAR_A} $", "$VAR_A ${VAR_A} $"),
        ("$(REF)", "$(VAR_A)"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$()", "$()"),
        ("$(VAR_$(VAR_A))", "$(VAR_$(VAR_A))"),
        ("\n$(VAR_A)\n", "\nA\n"),
        ("é$(VAR_A)é", "éAé"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expanded: str) -> None:
    variables = {"VAR_A": "A", "VAR_B": "B", "REF": "$(VAR_A)"}
    values = {name: text_value(value) for name, value in variables.items()}
    assert expand(text, values) == text_value(expanded)


PARTS = st.one_of(
    st.text(max_size=3),
    st.builds(SecretKey, st.just("s"), st.sampled_from("ab")),
    st.just(NodeVariable("V")),
)
VALUES: st.SearchStrategy[Value] = st.lists(PARTS, max_size=5).map(join_parts)


def shown(value: Value) -> str:
    """A value with its parts that are no text as signs that no text has."""
    return "".join(
        part if isinstance(part, str) else "\0" + type(part).__name__ + "\0" for part in value
    )


@given(st.lists(st.sampled_from(["$", "(", ")", "A", "B", "é", "$(A)", "$(B)", "$$"])), VALUES)
def test_parts_that_are_no_text_arrive_where_text_would(pieces: list[str], value: Value) -> None:
    text = "".join(pieces)
    by_text = expand(text, {"A": text_value(shown(value)), "B": ()})
    by_parts = expand(text, {"A": value, "B": ()})
    assert shown(by_parts) == shown(by_text)
    assert by_parts == join_parts(by_parts), "not in the one form"
    assert len(secrets_of(by_parts)) == shown(by_text).count("SecretKey")


def test_variable_of_the_node_stands_bare_in_a_quoted_word() -> None:
    address = NodeVariable("IP")
    assert quote_value_word(("http://", address, ":80/$x%")) == '"http://${IP}:80/$$x%%"'
    assert quote_value_word(text_value("plain")) == "plain"
    assert quote_value_word(()) == "%i"
    listed = json_list([('a"b', address), (), text_value("é")])
    assert quote_value_word(listed) == r'"[\"a\\\"b${IP}\", \"\", \"é\"]"'
    assert try_text(listed) is None
    assert try_text(()) == ""


def read_word(raw: str) -> str:
    """A quoted or plain word as systemd reads it in ``ExecStart=``."""
    if raw.startswith('"'):
        assert raw.endswith('"')
        raw = raw[1:-1]
        assert not re.search(r'(?<!\\)(\\\\)*"', raw)
        raw = ESCAPE.sub(unescaped, raw)
    else:
        assert not re.search(r"[\s\"'\\;]", raw)
    raw = re.sub(r"%(.)", lambda match: {"%": "%", "i": ""}[match[1]], raw)
    return re.sub(r"\$(.)", lambda match: {"$": "$"}[match[1]], raw)


def unescaped(match: re.Match[str]) -> str:
    two, four, one = match.groups()
    if two or four:
        return chr(int(two or four, 16))
    return {"n": "\n", "t": "\t", "r": "\r"}.get(one, one)


@settings(deadline=None)
@given(TEXT)
def test_a_word_is_one_word_on_one_line_and_reads_as_it_was(word: str) -> None:
    assert len(quote_word(word).splitlines()) == 1
    # As the dollar and percent signs are doubled before the word is quoted, what is read first
    # does not matter.
    if word not in ("", ";"):
        assert quote_word(word) == quote_systemd(word)
        assert read_word(quote_word(word)) == word


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("", "%i"),
        (";", "%i;"),
        ("plain", "plain"),
        ("-x=1", "-x=1"),
        ("a;", '"a;"'),
        ("two words", '"two words"'),
        ("100% $x", '"100%% $$x"'),
        ("$x%h", "$$x%%h"),
        ('"\\', '"\\"\\\\"'),
        ("a\nb", '"a\\nb"'),
        ("é\u2028", '"é\\u2028"'),
        ("\x1b", '"\\x1b"'),
    ],
)
def test_quoted_words(word: str, quoted: str) -> None:
    assert quote_word(word) == quoted


def test_value_that_is_not_split_keeps_its_spaces_and_quotes() -> None:
    assert quote_value('/a b"c:/d%e$f') == '/a b"c:/d%%e$$f'


def test_sections_without_lines_are_left_out() -> None:
    text = render_unit(
        [("A", [("K", "1"), ("K", "2")]), ("B", []), ("C", [("L", "")])], comment="x"
    )
    assert text == b"# x\n\n[A]\nK=1\nK=2\n\n[C]\nL=\n"
