"""Nodes from an Ansible inventory (INI or YAML), in place of or next to ``nodes:``.

- A node's name is the host's name in the inventory, in lower case, with '-' for '.' and '_'
  (``web1.example.com`` is the node ``web1-example-com``); its `ssh` is ``ansible_host`` or that
  name, with ``ansible_user`` before it.
- Honoured variables: ``ansible_host``, ``ansible_user``, ``ansible_port``,
  ``ansible_ssh_private_key_file`` (relative to the inventory's folder) and their other spellings,
  ``vendor`` and ``zone``. Those that would change how the host is reached in a way that Skerry
  does not do are errors. All others are Ansible's own business and left alone.
- Each group of a host, direct or not, becomes the label ``group.NAME`` with the value ``true``;
  ``all`` and ``ungrouped`` do not.
- Variables in ``group_vars/`` and ``host_vars/`` are not read; where one of the variables above
  stands there, that is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from skerry.errors import Problem
from skerry.load.decode import struct_decoder
from skerry.load.decode_scalar import BAD
from skerry.load.document import COLLECTION, PLAIN, QUOTED, MappingNode, ScalarNode, read_text
from skerry.load.document import Node as YamlNode
from skerry.load.files import FileFault, read_limited
from skerry.load.inventory_groups import MAX_GROUPS, Inventory
from skerry.load.reading import Reading, TooLarge, TooWrong
from skerry.load.unknown import nearest
from skerry.model.cloud import Node
from skerry.model.metadata import DNS_LABEL_PATTERN

# What a variable says about a node, by its spellings; the first that is given counts.
HONOURED = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "identity-file": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
    "vendor": ("vendor",),
    "zone": ("zone",),
}
_SPELLINGS = [name for names in HONOURED.values() for name in names]
_SSH_OPTIONS = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_executable")
_PASSWORDS = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")


def read_inventory(path: Path, shown: str, problems: list[Problem]) -> dict[str, Node]:
    """The nodes of the inventory at `path` by name; problems name the file as `shown`."""
    # Not Path.is_dir(): that raises where the name is too long.
    if os.path.isdir(path):  # noqa: PTH112
        problems.append(
            Problem(shown, 0, 0, "is a folder: an inventory of several files is not honoured yet")
        )
        return {}
    if path.suffix == ".toml":
        problems.append(Problem(shown, 0, 0, "inventories are read in INI and YAML form only"))
        return {}
    text = read_text(path, shown, problems)
    if text is None:
        return {}
    reading = Reading(shown, problems)
    try:
        return _parse_nodes(path, text, shown, problems, reading)
    except TooLarge:
        words = f"is too large: more than {MAX_GROUPS} groups, or aliases of them"
    except TooWrong:
        words = "has more errors: mend these first"
    problems.append(Problem(shown, 0, 0, words))
    return {}


def _parse_nodes(
    path: Path, text: str, shown: str, problems: list[Problem], reading: Reading
) -> dict[str, Node]:
    if path.suffix in (".yaml", ".yml", ".json"):
        from skerry.load.inventory_yaml import parse_yaml

        inventory = parse_yaml(text, shown, problems, reading)
    else:
        from skerry.load.inventory_ini import parse_ini

        inventory = parse_ini(text, reading)
    _check_variable_files(path, shown, problems)
    if (loop := inventory.find_loop()) is not None:
        name, at = loop
        reading.problem(at, None, f"group {name!r} contains itself")
        return {}
    return _nodes_of(inventory, reading)


def _nodes_of(inventory: Inventory, reading: Reading) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    hosts: dict[str, str] = {}
    for host, at in inventory.hosts.items():
        name = re.sub(r"[._:]", "-", host.strip("[]").lower())
        if not re.fullmatch(DNS_LABEL_PATTERN, name):
            reading.problem(
                at,
                None,
                f"the host {host!r} gives no name for a node",
                hint="name it with letters, digits and '-', and give its address as ansible_host",
            )
            continue
        if name in hosts:
            reading.problem(
                at, None, f"the hosts {hosts[name]!r} and {host!r} both give the node {name!r}"
            )
            continue
        hosts[name] = host
        groups, variables = inventory.variables_of(host)
        if _are_good(variables, reading, host):
            node = _node_of(host, at, groups, variables, reading)
            if node is not None:
                nodes[name] = node
    return nodes


def _are_good(variables: dict[str, YamlNode], reading: Reading, host: str) -> bool:
    """Whether the variables let the host be reached; notes those that do not."""
    before = len(reading.problems)
    for name, value in variables.items():
        if name in _PASSWORDS:
            reading.problem(
                value,
                (None, host),
                f"`{name}`: passwords are not read from files",
                hint="log in with a key; skerry node add --ask-password installs yours",
            )
        elif name in _SSH_OPTIONS:
            reading.problem(
                value,
                (None, host),
                f"`{name}` is not honoured",
                hint="write it to a configuration file for ssh, named as ssh-config in cloud.yaml",
            )
        elif name == "ansible_connection" and value.value not in ("ssh", "smart", "paramiko"):
            reading.problem(value, (None, host), "`ansible_connection` must be ssh")
        elif name in _SPELLINGS and (
            not isinstance(value, ScalarNode) or value.tag not in (PLAIN, QUOTED)
        ):
            reading.problem(value, (None, host), f"`{name}` must be a single value")
        elif name in _SPELLINGS and "{{" in value.value:
            reading.problem(value, (None, host), f"`{name}`: templates are not honoured")
        elif name.startswith("ansible_") and name not in _SPELLINGS:
            near = nearest(name, _SPELLINGS)
            if near is not None and len(near) == len(name) and sorted(near) == sorted(name):
                reading.problem(
                    value, (None, host), f"no variable `{name}`", hint=f"did you mean `{near}`?"
                )
    return len(reading.problems) == before


def _node_of(
    host: str, at: YamlNode, groups: list[str], variables: dict[str, YamlNode], reading: Reading
) -> Node | None:
    """The node, decoded as one of ``nodes:`` would be, so that it keeps the same rules."""

    def scalar(text: str, place: YamlNode, tag: str = QUOTED) -> ScalarNode:
        return ScalarNode(tag, text, place.start_mark, place.end_mark)

    given = {
        field: variables[names[0] if names[0] in variables else names[-1]]
        for field, names in HONOURED.items()
        if any(name in variables for name in names)
    }
    address = given.pop("host", None)
    user = given.pop("user", None)
    target = address.value if address is not None else host.strip("[]")
    if user is not None:
        target = f"{user.value}@{target}"
    fields: list[tuple[YamlNode, YamlNode]] = [
        (scalar("ssh", at), scalar(target, address or user or at))
    ]
    for field, value in given.items():
        text = scalar(value.value, value, PLAIN if field == "port" else value.tag)
        fields.append((scalar(field, value), text))
    labels = [(scalar(f"group.{group}", at), scalar("true", at)) for group in groups]
    if labels:
        fields.append((scalar("labels", at), _mapping(labels, at)))
    before = len(reading.problems)
    node = struct_decoder(Node)(_mapping(fields, at), reading, (None, host))
    if node is BAD or len(reading.problems) > before or not isinstance(node, Node):
        return None
    return node


def _mapping(pairs: Sequence[tuple[YamlNode, YamlNode]], at: YamlNode) -> MappingNode:
    return MappingNode(COLLECTION, list(pairs), at.start_mark, at.end_mark)


def _check_variable_files(path: Path, shown: str, problems: list[Problem]) -> None:
    """Notes connection variables in the files next to the inventory that Ansible would read."""
    wanted = re.compile(rf"^\s*[\"']?({'|'.join(_SPELLINGS)})[\"']?\s*:", re.MULTILINE)
    for folder in ("group_vars", "host_vars"):
        for file in sorted((path.parent / folder).rglob("*")):
            try:
                text = read_limited(file).decode(errors="replace")
            except (FileFault, FileNotFoundError):
                continue
            if match := wanted.search(text):
                name = file.relative_to(path.parent).as_posix()
                line = text.count("\n", 0, match.start(1)) + 1
                problems.append(
                    Problem(
                        str(Path(shown).parent / name),
                        line,
                        1,
                        f"`{match[1]}` is not read from {folder}/",
                        hint=f"move it to {shown}",
                    )
                )
