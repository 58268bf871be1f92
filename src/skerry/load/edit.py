"""Changes to the nodes in the text of cloud.yaml, which keep its comments and its layout.

Every change is checked: the new text must mean what the old one did but for the change, or
UsageError is raised and says what to write by hand.
"""

from __future__ import annotations

import re

from skerry.errors import UsageError
from skerry.load.layout import Part, parse_layout, render_value

__all__ = ["insert_node", "remove_node", "render_value", "set_node_field"]


def insert_node(text: str, name: str, fields: dict[str, object]) -> str:
    """The text with a node added after the others. Raises UsageError, also where it is there."""
    root = parse_layout(text)
    nodes = root.find("nodes")
    if nodes is not None and nodes[1].kind == "mapping" and nodes[1].find(name):
        raise UsageError(f"the node {name!r} is in cloud.yaml already")
    key, value = render_value(name), render_value(fields)
    if nodes is None:
        if root.flow:
            changed = _insert(text, root, "nodes", f"{{{key}: {value}}}")
        else:
            indent = " " * (root.pairs[0][0].column + 2)
            changed = _insert(text, root, "nodes", f"\n{indent}{key}: {value}")
    elif _is_shared(root, nodes[1]):
        raise _refusal(name, f"{key}: {value}")
    elif nodes[1].is_null or _is_empty(text, nodes[1]):
        changed = _fill(text, root, nodes[1], f"{key}: {value}")
    elif nodes[1].kind == "mapping":
        changed = _insert(text, nodes[1], key, value)
    else:
        raise _refusal(name, f"{key}: {value}")
    expected = _node_meanings(text)
    expected[repr(_meaning(key))] = _meaning(value)
    return _checked(text, changed, expected, name, f"{key}: {value}")


def remove_node(text: str, name: str) -> str:
    """The text without a node. Raises UsageError where there is no such node."""
    root, nodes, _ = _find_node(text, name)
    if _is_shared(root, nodes[1]):
        raise _refusal(name, f"(without {name})")
    changed = _remove(text, nodes[1], name)
    if len(nodes[1].pairs) == 1 and not nodes[1].flow:
        # A key with nothing after it would do, but looks like a mistake.
        colon = changed.index(":", nodes[0].end)
        changed = f"{changed[: colon + 1]} {{}}{changed[colon + 1 :]}"
    expected = _node_meanings(text)
    del expected[repr(_meaning(render_value(name)))]
    return _checked(text, changed, expected, name, f"(without {name})")


def set_node_field(text: str, name: str, field: str, value: object) -> str:
    """The text with one field of a node changed, or added, or, for None, removed.

    Raises UsageError where there is no such node.
    """
    shown = "(removed)" if value is None else render_value(value)
    root, nodes, node = _find_node(text, name)
    if node.kind != "mapping" or _is_shared(root, node) or _is_shared(root, nodes[1]):
        raise _refusal(name, f"{field}: {shown}")
    there = node.find(field)
    changed = text
    if there is not None and (value is None or there[1].kind in ("mapping", "sequence")):
        if value is not None and len(node.pairs) == 1:
            raise _refusal(name, f"{field}: {shown}")
        changed, there = _remove(text, node, field), None
    if value is not None:
        if there is not None:
            changed = _replace(text, there[1], render_value(value))
        else:
            _, _, node = _find_node(changed, name)
            changed = _insert(changed, node, render_value(field), render_value(value))
    expected = _node_meanings(text)
    fields = {
        repr(key.meaning()): value.meaning() for key, value in _find_node(text, name)[2].pairs
    }
    key = repr(_meaning(render_value(field)))
    fields.pop(key, None)
    if value is not None:
        fields[key] = _meaning(render_value(value))
    meaning = (node.kind, node.anchor, node.tag, sorted(fields.items()))
    expected[repr(_meaning(render_value(name)))] = meaning
    return _checked(text, changed, expected, name, f"{field}: {shown}")


def _find_node(text: str, name: str) -> tuple[Part, tuple[Part, Part], Part]:
    """The root, the key and value of ``nodes``, and the node's own value."""
    root = parse_layout(text)
    nodes = root.find("nodes")
    found = nodes[1].find(name) if nodes is not None and nodes[1].kind == "mapping" else None
    if nodes is None or found is None:
        raise UsageError(f"the node {name!r} is not in cloud.yaml")
    return root, nodes, found[1]


def _insert(text: str, mapping: Part, key: str, value: str) -> str:
    """The text with an entry added at the mapping's end."""
    newline = _newline(text)
    value = value.replace("\n", newline)
    if mapping.flow:
        if not mapping.children:
            at = text.index("{", mapping.start) + 1
            return f"{text[:at]}{key}: {value}{text[at:]}"
        return f"{text[: mapping.end_of_last]}, {key}: {value}{text[mapping.end_of_last :]}"
    column = mapping.pairs[0][0].column
    at, indent = _entry_end(text, mapping.end, column), " " * column
    space = "" if value.startswith(newline) else " "
    before = text[:at] + ("" if text[:at].endswith("\n") or not at else newline)
    return f"{before}{indent}{key}:{space}{value}{newline}{text[at:]}"


def _fill(text: str, root: Part, value: Part, entry: str) -> str:
    """The text with a first entry in place of an empty value of one of the root's keys."""
    if root.flow:
        return f"{text[: value.start].rstrip()} {{{entry}}}{text[value.end :]}"
    before, after = text[: value.start].rstrip(" "), text[value.end :]
    at = _line_end(before + after, len(before))
    head, tail, newline = (before + after)[:at], (before + after)[at:], _newline(text)
    indent = " " * (root.pairs[0][0].column + 2)
    head += "" if head.endswith("\n") else newline
    return f"{head}{indent}{entry}{newline}{tail}"


def _replace(text: str, value: Part, new: str) -> str:
    if value.start == value.end:
        space = "" if text[: value.start].endswith(" ") else " "
        return f"{text[: value.start]}{space}{new}{text[value.end :]}"
    # A block scalar ends with its line.
    newline = _newline(text) if text[value.start : value.end].endswith("\n") else ""
    return f"{text[: value.start]}{new}{newline}{text[value.end :]}"


def _remove(text: str, mapping: Part, name: str) -> str:
    """The text without one entry of the mapping; comments around the entry stay."""
    pairs = mapping.pairs
    index = next(place for place, (key, _) in enumerate(pairs) if key.value == name)
    key, value = pairs[index]
    start, end = key.start, max(key.end, value.end)
    if not mapping.flow:
        start = text.rfind("\n", 0, start) + 1
        return text[:start] + text[_entry_end(text, end, key.column) :]
    comma = re.match(r"\s*,[ \t]*", text[end:])
    if comma is not None and (index < len(pairs) - 1 or index == 0):
        return _without_blank_line(text[:start], text[end + comma.end() :])
    if index > 0:
        previous = max(part.end for part in pairs[index - 1])
        gap = text[previous:start]
        # The comma before the entry, which a comment may follow.
        gap = re.sub(r"\A((?:\s|#.*)*),", r"\1", gap, count=1)
        return _without_blank_line(text[:previous] + gap.rstrip(" "), text[end:])
    return text[:start] + text[end:]


def _without_blank_line(before: str, after: str) -> str:
    line_begin = before.rfind("\n") + 1
    rest = re.match(r"[ \t]*\r?\n", after)
    if line_begin and rest and not before[line_begin:].strip():
        return before[:line_begin] + after[rest.end() :]
    return before + after


def _is_empty(text: str, part: Part) -> bool:
    return (
        part.kind == "mapping"
        and not part.children
        and text[part.start : part.end].replace(" ", "") == "{}"
    )


def _is_shared(root: Part, part: Part) -> bool:
    """Whether an alias stands for the part too, so that a change would be made twice."""
    if part.anchor is None:
        return False
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if one.kind == "alias" and one.anchor == part.anchor and one is not part:
            return True
        waiting += one.children
    return False


def _line_end(text: str, at: int) -> int:
    """Where the next line begins; `at` itself where it is a line's beginning already."""
    if at and text[at - 1] == "\n":
        return at
    found = text.find("\n", at)
    return found + 1 if found >= 0 else len(text)


def _entry_end(text: str, end: int, column: int) -> int:
    """Where the line after a block's entry begins; comments that are deeper in belong to it."""
    at = _line_end(text, end)
    while match := re.compile(rf" {{{column + 1},}}#.*(\n|$)").match(text, at):
        at = match.end()
    return at


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _meaning(rendered: str) -> object:
    """What a rendered value means as a part of a text."""
    return parse_layout(f"x: {rendered}").pairs[0][1].meaning()


def _node_meanings(text: str) -> dict[str, object]:
    nodes = parse_layout(text).find("nodes")
    pairs = nodes[1].pairs if nodes is not None and nodes[1].kind == "mapping" else []
    return {repr(key.meaning()): value.meaning() for key, value in pairs}


def _checked(old: str, new: str, nodes: dict[str, object], name: str, entry: str) -> str:
    """The new text, if its nodes are the expected ones and all else is as it was."""

    def others(text: str) -> list[tuple[str, object]]:
        pairs = parse_layout(text).pairs
        return [(key.value, value.meaning()) for key, value in pairs if key.value != "nodes"]

    try:
        if _node_meanings(new) == nodes and others(new) == others(old):
            return new
    except UsageError:
        pass
    raise _refusal(name, entry)


def _refusal(name: str, entry: str) -> UsageError:
    return UsageError(
        f"cloud.yaml is written in a way that cannot be changed for node {name!r} here",
        hint=f"change it with an editor, under `nodes:`: {entry}",
    )
