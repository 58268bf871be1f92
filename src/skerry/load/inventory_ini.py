"""Ansible inventories in INI form.

Source: Ansible's inventory plugin `ini`: host lines, ``[group]``, ``[group:children]``,
``[group:vars]``; ``#`` and ``;`` begin comments.
"""

from __future__ import annotations

import re

import yaml

from skerry.load.document import QUOTED, Node, ScalarNode
from skerry.load.inventory_groups import Inventory
from skerry.load.reading import Reading
from skerry.load.unknown import nearest

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?$")
# A word, in which quotes may hold spaces; "#" ends the line, as in Python's shlex.
_WORD = re.compile(r"""(?:[^\s"'#]|"[^"]*"|'[^']*')+""")
_REST = re.compile(r"\s*(?:#.*)?$")
# A name in which brackets may hold colons, and a port.
_ADDRESS_WITH_PORT = re.compile(r"^((?:[^:\[\]]|\[[^\]]*\])+):([0-9]+)$")


def parse_ini(text: str, reading: Reading) -> Inventory:
    """The inventory that an INI text describes; problems go to `reading`. Raises `TooLarge`."""
    inventory = Inventory()
    wanted: list[tuple[str, Node, str]] = []
    section, part = "ungrouped", "hosts"
    for number, line in enumerate(text.splitlines()):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        column = len(line) - len(line.lstrip())
        at = _scalar(bare, number, column)
        if bare[0] == "[" and (match := _SECTION.match(bare)):
            section, part = match[1], match[2] or "hosts"
            if part not in ("hosts", "children", "vars"):
                reading.problem(
                    at,
                    None,
                    f"no section [{section}:{part}]",
                    hint="a section is [GROUP], [GROUP:children] or [GROUP:vars]",
                )
            elif part == "vars":
                wanted.append((section, at, "variables are given for"))
            else:
                inventory.group(section)
        elif bare[0] == "[" and "]" not in bare:
            reading.problem(at, None, "this section's name is not closed: ']' is missing")
        elif part == "hosts":
            _read_host(line, number, section, inventory, reading)
        elif part == "children":
            child = re.split(r"\s*[#;]", bare)[0].strip()
            inventory.group(section).children[child] = at
            wanted.append((child, at, f"group {section} contains"))
        elif part == "vars":
            name, sign, value = bare.partition("=")
            if not sign:
                reading.problem(at, None, f"must be NAME=VALUE, not {bare!r}")
                continue
            shift = column + len(name) + 1 + len(value) - len(value.lstrip())
            scalar = _scalar(_unquoted(value.strip()), number, shift)
            # This does not declare the group: `_check_groups` wants more than variables.
            inventory.group(section).variables[name.strip()] = scalar
    _check_groups(inventory, wanted, reading)
    return inventory


def _check_groups(
    inventory: Inventory, wanted: list[tuple[str, Node, str]], reading: Reading
) -> None:
    """Notes the groups that are spoken of and nowhere declared."""
    declared = {"all", "ungrouped"} | {
        name
        for name, group in inventory.groups.items()
        if group.hosts or group.children or not group.variables
    }
    for name, at, words in wanted:
        if name not in declared:
            near = nearest(name, sorted(declared))
            hint = f"did you mean {near!r}?" if near else f"declare it: [{name}]"
            reading.problem(at, None, f"{words} group {name!r}, which is not there", hint=hint)
            inventory.group(name)


def _read_host(line: str, number: int, group: str, inventory: Inventory, reading: Reading) -> None:
    words: list[tuple[str, int]] = []
    position = len(line) - len(line.lstrip())
    while match := _WORD.match(line, position):
        words.append((match[0], match.start()))
        position = match.end()
        while position < len(line) and line[position].isspace():
            position += 1
    if not _REST.match(line, position):
        at = _scalar("", number, position)
        reading.problem(at, None, "this quote is not closed")
        return
    pattern, column = words[0]
    at = _scalar(pattern, number, column)
    variables: dict[str, Node] = {}
    for word, place in words[1:]:
        name, sign, value = word.partition("=")
        if not sign:
            reading.problem(
                _scalar(word, number, place),
                None,
                f"must be NAME=VALUE, not {word!r}",
                hint="one host on a line, its variables after it",
            )
            continue
        variables[name] = _scalar(_unquoted(value), number, place + len(name) + 1)
    if match := _ADDRESS_WITH_PORT.match(pattern):
        pattern = match[1]
        variables.setdefault("ansible_port", _scalar(match[2], number, column + len(match[1]) + 1))
    inventory.add_hosts(group, pattern, at, variables, reading)


def _scalar(text: str, line: int, column: int) -> ScalarNode:
    """A value with its place, counted from 0; in INI all values are text."""
    mark = yaml.Mark("", 0, line, column, None, 0)
    return ScalarNode(QUOTED, text, mark, mark)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
