"""Changes to cloud.yaml's text: the wanted one, and no other."""

from __future__ import annotations

import string
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skerry.errors import UsageError
from skerry.load.edit import insert_node, remove_node, render_value, set_node_field

FIELDS: dict[str, object] = {"ssh": "root@h", "port": 22}
ENTRY = "new: {ssh: root@h, port: 22}"

INSERT_CASES = {
    "no nodes": ("name: x\nrun: {}\n", f"name: x\nrun: {{}}\nnodes:\n  {ENTRY}\n"),
    "no newline at the end": ("name: x", f"name: x\nnodes:\n  {ENTRY}\n"),
    "null": ("nodes: # c\n# d\nname: x\n", f"nodes: # c\n  {ENTRY}\n# d\nname: x\n"),
    "tilde": ("nodes: ~\nname: x\n", f"nodes:\n  {ENTRY}\nname: x\n"),
    "empty": ("nodes: {}  # c\nname: x\n", f"nodes:  # c\n  {ENTRY}\nname: x\n"),
    "block": (
        "nodes:\n    a: {ssh: a} # c\n    # about c\n\n# d\nname: x\n",
        f"nodes:\n    a: {{ssh: a}} # c\n    {ENTRY}\n    # about c\n\n# d\nname: x\n",
    ),
    "deep block": (
        "nodes:\n  a:\n    ssh: a\n    # port: 1\n\nname: x\n",
        f"nodes:\n  a:\n    ssh: a\n    # port: 1\n  {ENTRY}\n\nname: x\n",
    ),
    "flow": ("nodes: {a: {ssh: a}}\n", f"nodes: {{a: {{ssh: a}}, {ENTRY}}}\n"),
    "flow with a comma": ("nodes: {a: {ssh: a},}\n", f"nodes: {{a: {{ssh: a}}, {ENTRY},}}\n"),
    "flow of lines": (
        "nodes: {\n  a: {ssh: a} # c\n}\n",
        f"nodes: {{\n  a: {{ssh: a}}, {ENTRY} # c\n}}\n",
    ),
    "all flow": ("{name: x}\n", f"{{name: x, nodes: {{{ENTRY}}}}}\n"),
    "all flow with null": ("{nodes: , name: x}", f"{{nodes: {{{ENTRY}}}, name: x}}"),
    "windows": ("nodes:\r\n  a: {ssh: a}\r\n", f"nodes:\r\n  a: {{ssh: a}}\r\n  {ENTRY}\r\n"),
    "literal": (
        "nodes:\n  a:\n    ssh: |\n      b\n\nname: x\n",
        f"nodes:\n  a:\n    ssh: |\n      b\n\n  {ENTRY}\nname: x\n",
    ),
    "document marks": ("---\nname: x\n...\n", f"---\nname: x\nnodes:\n  {ENTRY}\n...\n"),
    "aliases": (
        "x-a: &a {zone: z}\nnodes:\n  a: {<<: *a, ssh: a}\n",
        f"x-a: &a {{zone: z}}\nnodes:\n  a: {{<<: *a, ssh: a}}\n  {ENTRY}\n",
    ),
}


@pytest.mark.parametrize("case", INSERT_CASES)
def test_insert(case: str) -> None:
    text, expected = INSERT_CASES[case]
    assert insert_node(text, "new", FIELDS) == expected


@pytest.mark.parametrize(
    "case", [case for case in INSERT_CASES if case not in {"null", "tilde", "all flow with null"}]
)
def test_removing_what_was_inserted(case: str) -> None:
    text, inserted = INSERT_CASES[case]
    removed = remove_node(inserted, "new")
    if "nodes" in text:
        assert removed == text
    else:
        assert (yaml.safe_load(removed.replace("...", "")) or {})["nodes"] == {}


REMOVE_CASES = {
    "first": (
        "nodes:\n  # one\n  a: {ssh: a} # x\n  b: {ssh: b}\n",
        "nodes:\n  # one\n  b: {ssh: b}\n",
    ),
    "last": (
        "nodes:\n  b: {ssh: b} # y\n  a:\n    ssh: a\n    # in a\n  # end\nname: x\n",
        "nodes:\n  b: {ssh: b} # y\n  # end\nname: x\n",
    ),
    "only": ("nodes: # c\n  a: {ssh: a}\nname: x\n", "nodes: {} # c\nname: x\n"),
    "flow first": ("nodes: {a: {ssh: a}, b: {ssh: b}}\n", "nodes: {b: {ssh: b}}\n"),
    "flow last": ("nodes: {b: {ssh: b}, a: {ssh: a}}\n", "nodes: {b: {ssh: b}}\n"),
    "flow lines": (
        "nodes: {\n  b: {ssh: b}, # b, really\n  a: {ssh: a} # a\n}\n",
        "nodes: {\n  b: {ssh: b} # b, really\n # a\n}\n",
    ),
    "quoted": ("nodes:\n  'a': {ssh: a}\n  b: {ssh: b}\n", "nodes:\n  b: {ssh: b}\n"),
}


@pytest.mark.parametrize("case", REMOVE_CASES)
def test_remove(case: str) -> None:
    text, expected = REMOVE_CASES[case]
    assert remove_node(text, "a") == expected


SET_CASES: list[tuple[str, str, object, str]] = [
    ("{ssh: b}", "port", 22, "{ssh: b, port: 22}"),
    ("{ssh: b, port: 1}", "port", 22, "{ssh: b, port: 22}"),
    ("{ssh: b, port: 1}", "port", None, "{ssh: b}"),
    ("{ssh: b}", "port", None, "{ssh: b}"),
    ("{ssh: b, zone: }", "zone", "no", '{ssh: b, zone: "no"}'),
    ("{ssh: 'b'}", "ssh", "u@h", "{ssh: u@h}"),
    ("\n    ssh: b # c\n    # d", "port", 22, "\n    ssh: b # c\n    port: 22\n    # d"),
    ("\n    ssh: b # c\n    port: 1 # d", "port", 2, "\n    ssh: b # c\n    port: 2 # d"),
    ("\n    ssh: |\n      b\n    port: 1", "ssh", "c", "\n    ssh: c\n    port: 1"),
    (
        "\n    ssh: b\n    labels:\n      a: b\n    port: 1",
        "labels",
        {"c": "on"},
        '\n    ssh: b\n    port: 1\n    labels: {c: "on"}',
    ),
]


@pytest.mark.parametrize(("node", "field", "value", "expected"), SET_CASES)
def test_set_field(node: str, field: str, value: object, expected: str) -> None:
    text = "# top\nnodes:\n  a: NODE\n  z: {ssh: z} # end\n"
    changed = set_node_field(text.replace("NODE", node), "a", field, value)
    assert changed == text.replace("NODE", expected)


REFUSED = [
    ("nodes: *a\nx: &a {}\n", "the alias \\*a names no anchor"),
    ("x-a: &a {}\nnodes: *a\n", "cannot be changed"),
    ("nodes: [a]\n", "cannot be changed"),
    ("nodes: &n {}\nrun: *n\n", "cannot be changed"),
    ("nodes: {new: {ssh: a}}\n", "is in cloud.yaml already"),
    ("a: [\n", "is not YAML"),
    ("", "is not one YAML mapping"),
    ("a: b\n---\nc: d\n", "is not one YAML mapping"),
    ("[" * 300, "is not YAML|levels deep"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_refused_inserts(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        insert_node(text, "new", FIELDS)


def test_an_anchor_that_others_use_is_not_removed() -> None:
    with pytest.raises(UsageError, match="cannot be changed"):
        remove_node("nodes:\n  a: &a {ssh: a}\n  b: {<<: *a}\n", "a")


def test_an_anchored_node_that_others_use_is_not_changed() -> None:
    with pytest.raises(UsageError, match="cannot be changed"):
        set_node_field("nodes:\n  a: &a {ssh: a}\n  b: {<<: *a}\n", "a", "port", 1)


def test_no_such_node() -> None:
    for text in ("nodes: {}\n", "name: x\n", "nodes:\n"):
        with pytest.raises(UsageError, match=r"the node 'a' is not in cloud\.yaml"):
            remove_node(text, "a")
        with pytest.raises(UsageError, match=r"the node 'a' is not in cloud\.yaml"):
            set_node_field(text, "a", "port", 1)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["on", "no", "null", "~", "1.10", "0x1F", "<<", "- a", "a: b", "a #b", "", " ", "{{x}}", "\x85"]
)
values = (
    texts
    | st.integers()
    | st.booleans()
    | st.lists(texts, max_size=3)
    | st.dictionaries(texts, texts, max_size=3)
)


@given(values)
def test_rendered_values_mean_themselves(value: Any) -> None:
    assert yaml.safe_load(f"{{x: {render_value(value)}}}") == {"x": value}
    assert yaml.safe_load(f"x: {render_value(value)}") == {"x": value}


names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=6).filter(
    lambda name: name not in ("name", "nodes", "run")
)
comments = st.sampled_from(["", "  # plain", "  # a: {b: c}", " # 'quote", " # {", " # ,"])


@st.composite
def cloud_texts(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A cloud.yaml in one of the many ways to write it, and its nodes."""
    nodes: list[str] = draw(st.lists(names, max_size=4, unique=True))
    is_block: bool = bool(nodes) and draw(st.booleans())
    indent = " " * draw(st.integers(1, 5))
    lines: list[str] = []
    for node in nodes:
        ssh = render_value(draw(texts.filter(lambda text: "\n" not in text)))
        if draw(st.booleans()):
            lines.append(f"{indent}'{node}': {{ssh: {ssh}, zone: eu}}{draw(comments)}")
        else:
            lines.append(f"{indent}'{node}':{draw(comments)}")
            lines.append(f"{indent * 2}ssh: {ssh}{draw(comments)}")
            if draw(st.booleans()):
                lines.append(f"{indent * 2}labels:\n{indent * 3}a: b{draw(comments)}")
        lines += draw(st.lists(st.sampled_from(["", "# c", f"{indent}# d"]), max_size=2))
    if is_block:
        block = "nodes:" + draw(comments) + "\n" + "\n".join(lines)
    else:
        inner = draw(st.sampled_from([", ", ",\n  ", ", # c, c\n  "])).join(
            f"'{node}': {{ssh: a}}" for node in nodes
        )
        comma = draw(st.sampled_from(["", ",", " "])) if nodes else ""
        block = f"nodes: {{{inner}{comma}}}{draw(comments)}"
    parts = [block, f"name: x{draw(comments)}", "# alone\nrun:\n  w: {pod: a}"]
    text = "\n".join(draw(st.permutations(parts))) + draw(
        st.sampled_from(["", "\n", "\n\n# end\n"])
    )
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))), nodes


def comments_of(text: str) -> list[str]:
    return sorted(line.strip() for line in text.splitlines() if line.strip().startswith("#"))


@given(cloud_texts(), names, texts)
def test_all_else_remains(cloud: tuple[str, list[str]], name: str, value: str) -> None:
    text, nodes = cloud
    before = yaml.safe_load(text)
    if name not in nodes:
        after = insert_node(text, name, {"ssh": value, "port": 1})
        changed = yaml.safe_load(after)
        assert changed["nodes"].pop(name) == {"ssh": value, "port": 1}
        assert changed == before
        assert list(changed["nodes"]) == nodes
        old, new = text.splitlines(), after.splitlines()
        assert comments_of(text) == comments_of(after)
        if "nodes: {" not in text:
            # Only one line is new.
            assert [line for line in new if name not in line] == [
                line for line in old if name not in line
            ]
        assert yaml.safe_load(remove_node(after, name)) == before
    for node in nodes:
        after = set_node_field(text, node, "zone", value)
        expected = yaml.safe_load(text)
        expected["nodes"][node]["zone"] = value
        assert yaml.safe_load(after) == expected
        assert comments_of(after) == comments_of(text)
        after = remove_node(text, node)
        expected = yaml.safe_load(text)
        del expected["nodes"][node]
        assert yaml.safe_load(after) == expected


@given(st.text("{}[]:,#&*!|>'\"-? \nab", max_size=40), names)
def test_any_text_is_changed_rightly_or_refused(text: str, name: str) -> None:
    text = f"name: x\nnodes: {text}"
    try:
        after = insert_node(text, name, {"ssh": "h"})
    except UsageError:
        return
    assert yaml.compose(after, yaml.SafeLoader) is not None
