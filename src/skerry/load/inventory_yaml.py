"""Ansible inventories in YAML form.

Source: Ansible's inventory plugin `yaml`: groups by name, each with ``hosts``, ``children`` and
``vars``; hosts with their variables.
"""

from __future__ import annotations

from skerry.errors import Problem
from skerry.load.document import MappingNode, Node, is_null, parse_documents
from skerry.load.inventory_groups import Inventory
from skerry.load.reading import Reading, Trail
from skerry.load.unknown import explain_field

_PARTS = ("hosts", "children", "vars")
_MAX_DEPTH = 50


def parse_yaml(text: str, file: str, problems: list[Problem], reading: Reading) -> Inventory:
    """The inventory that a YAML text describes; problems go to `problems` and `reading`.

    Raises `TooLarge`.
    """
    inventory = Inventory()
    for root in parse_documents(text, file, problems)[:1]:
        for name, _, group in _entries(root, reading, None):
            _read_group(name, group, inventory, reading, (None, name))
    return inventory


def _read_group(
    name: str, node: Node, inventory: Inventory, reading: Reading, trail: Trail, depth: int = 0
) -> None:
    group = inventory.group(name)
    if depth > _MAX_DEPTH:
        reading.problem(node, None, f"groups are nested more than {_MAX_DEPTH} levels deep")
        return
    for part, key, value in _entries(node, reading, trail):
        inside: Trail = (trail, part)
        if part == "hosts":
            for host, at, variables in _entries(value, reading, inside):
                own = dict(_variables(variables, reading, (inside, host)))
                inventory.add_hosts(name, host, at, own, reading)
        elif part == "children":
            for child, at, inner in _entries(value, reading, inside):
                group.children[child] = at
                _read_group(child, inner, inventory, reading, (inside, child), depth + 1)
        elif part == "vars":
            group.variables.update(_variables(value, reading, inside))
        else:
            message, hint = explain_field("", part, _PARTS)
            reading.problem(key, trail, message, hint=hint)


def _variables(node: Node, reading: Reading, trail: Trail) -> list[tuple[str, Node]]:
    return [(name, value) for name, _, value in _entries(node, reading, trail)]


def _entries(node: Node, reading: Reading, trail: Trail) -> list[tuple[str, Node, Node]]:
    """A mapping's entries; nothing written means no entries."""
    if is_null(node):
        return []
    if isinstance(node, MappingNode):
        return reading.entries(node, trail)
    reading.problem(node, trail, "must be a mapping: each name with a ':' after it")
    return []
