"""An Ansible inventory as both of its formats describe it: hosts, groups and their variables."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from skerry.load.document import Node
from skerry.load.reading import Reading, TooLarge

MAX_HOSTS = 5000
MAX_GROUPS = 1000

# "[01:10]", "[:3]", "[a:f]", each with a step after a further colon.
_RANGE = re.compile(r"\[(?:([0-9]*):([0-9]+)|([a-zA-Z]):([a-zA-Z]))(?::([0-9]+))?\]")


class RangeFault(ValueError):
    """A host range that Ansible does not take either; the message says why."""


class Group:
    """A group: its hosts and child groups by name with their places, and its variables."""

    def __init__(self) -> None:
        self.hosts: dict[str, Node] = {}
        self.children: dict[str, Node] = {}
        self.variables: dict[str, Node] = {}


class Inventory:
    """All groups and hosts. Every group is a descendant of ``all``."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {"all": Group()}
        self.hosts: dict[str, Node] = {}
        self.host_variables: dict[str, dict[str, Node]] = {}

    def group(self, name: str) -> Group:
        """The group of that name, made if it is new. Raises `TooLarge`."""
        if name not in self.groups and len(self.groups) >= MAX_GROUPS:
            raise TooLarge
        return self.groups.setdefault(name, Group())

    def add_hosts(
        self, group: str, pattern: str, at: Node, variables: dict[str, Node], reading: Reading
    ) -> None:
        """Adds the hosts that `pattern` (a name, or a range) stands for to a group."""
        try:
            names = list(islice(expand_range(pattern), MAX_HOSTS + 1))
            if len(self.hosts) + len(names) > MAX_HOSTS:
                raise RangeFault(f"more than {MAX_HOSTS} hosts")
        except RangeFault as fault:
            reading.problem(at, None, f"{pattern}: {fault}")
            return
        for name in names:
            self.group(group).hosts[name] = at
            self.hosts.setdefault(name, at)
            self.host_variables.setdefault(name, {}).update(variables)

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """The groups that have each group as a child. Wants an inventory that is complete."""
        parents: dict[str, list[str]] = {name: [] for name in self.groups}
        for name, group in self.groups.items():
            for child in group.children:
                parents.setdefault(child, []).append(name)
        return parents

    @cached_property
    def depths(self) -> dict[str, int]:
        """How far each group is from ``all`` at most. Wants an inventory without loops."""
        depths = dict.fromkeys(self.groups, 1)
        depths["all"] = 0
        parents_left = {name: len(parents) for name, parents in self.parents.items()}
        waiting = [name for name, count in parents_left.items() if count == 0]
        while waiting:
            name = waiting.pop()
            for child in self.groups[name].children:
                depths[child] = max(depths[child], depths[name] + 1)
                parents_left[child] -= 1
                if parents_left[child] == 0:
                    waiting.append(child)
        return depths

    def find_loop(self) -> tuple[str, Node] | None:
        """A group that contains itself with the place where it does, or None."""
        done: set[str] = set()
        for start in self.groups:
            # The way down, with the children still to be looked at.
            way: list[tuple[str, Iterator[tuple[str, Node]]]] = []
            names: dict[str, None] = {}
            if start not in done:
                names[start] = None
                way.append((start, iter(self.groups[start].children.items())))
            while way:
                name, children = way[-1]
                child, at = next(children, (None, None))
                if child is None or at is None:
                    way.pop()
                    names.popitem()
                    done.add(name)
                elif child in names:
                    return child, at
                elif child not in done and child in self.groups:
                    names[child] = None
                    way.append((child, iter(self.groups[child].children.items())))
        return None

    def variables_of(self, host: str) -> tuple[list[str], dict[str, Node]]:
        """A host's groups (without ``all``), sorted, and its variables.

        Ansible's precedence: ``all``, then parents before children and by name, then the host.
        Wants an inventory without loops.
        """
        found = {"all"}
        waiting = [name for name, group in self.groups.items() if host in group.hosts]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.parents[name]
        variables: dict[str, Node] = {}
        for name in sorted(found, key=lambda one: (self.depths[one], one)):
            variables.update(self.groups[name].variables)
        variables.update(self.host_variables[host])
        return sorted(found - {"all", "ungrouped"}), variables


def expand_range(pattern: str) -> Iterator[str]:
    """The names that a host pattern stands for: ``web[01:03]`` is web01, web02 and web03.

    Source: Ansible, "How to build your inventory", ranges of hosts. Raises RangeFault.
    """
    match = _RANGE.search(pattern)
    if match is None:
        if "[" in pattern and not re.search(r"\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:", pattern):
            raise RangeFault("is no host range: [first:last] or [first:last:step]")
        yield pattern
        return
    first, last, first_letter, last_letter, step_text = match.groups()
    step = int(step_text or 1)
    if step < 1:
        raise RangeFault("the step of a range is 1 or more")
    if first_letter:
        letters = string.ascii_letters
        start, end = letters.index(first_letter), letters.index(last_letter)
        middles = list(letters[start : end + 1 : step])
    else:
        first = first or "0"
        if first.startswith("0") and len(first) > 1 and len(first) != len(last):
            raise RangeFault("both ends of a range with leading zeros have as many digits")
        if len(first) > 9 or len(last) > 9 or int(last) - int(first) > MAX_HOSTS * step:
            raise RangeFault(f"more than {MAX_HOSTS} hosts")
        width = len(first) if first.startswith("0") else 0
        middles = [str(one).zfill(width) for one in range(int(first), int(last) + 1, step)]
    if not middles:
        raise RangeFault("the first end of a range comes before the last")
    for middle in middles:
        for rest in expand_range(pattern[match.end() :]):
            yield pattern[: match.start()] + middle + rest
