"""The reading of one document: where its problems go, and how far it may grow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from skerry.errors import Problem
from skerry.load.document import (
    COLLECTION,
    EXPLICIT_TAGS,
    PLAIN,
    QUOTED,
    MappingNode,
    Node,
    Place,
    ScalarNode,
    SequenceNode,
    place_of,
)
from skerry.load.scalar import Kind, kind_of

# The way from the document's root to a value: (the way to its parent, the last step).
Trail: TypeAlias = "tuple[Trail, str] | None"

# Aliases let ten lines stand for millions of values ("billion laughs").
MAX_VALUES = 200_000
MAX_MERGES = 20
# More than anyone reads; what 100,000 unknown fields may have meant would take minutes to find.
MAX_PROBLEMS = 200


class TooLarge(Exception):
    """The document stands for more values than anyone writes by hand."""


class TooWrong(Exception):
    """The document has more problems than anyone reads."""


class Reading:
    """Collects the problems of one document.

    `broken` holds the ways to the optional fields and mapping entries that were left out because
    of problems, so that a later check does not call them missing.
    """

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.broken: set[str] = set()
        # Fields of the document's root whose values no message may show.
        self.secret_fields: tuple[str, ...] = ()
        self._values_left = MAX_VALUES
        self._problems_left = MAX_PROBLEMS

    def problem(self, at: Node | Place, trail: Trail, message: str, *, hint: str = "") -> None:
        """Notes a problem at a node; the message begins with the way to it. Raises `TooWrong`."""
        self._problems_left -= 1
        if self._problems_left < 0:
            raise TooWrong
        line, column = place_of(at) if isinstance(at, Node) else at
        way = render_trail(trail)
        text = f"{way}: {message}" if way else message
        self.problems.append(Problem(self.file, line, column, text, hint=hint))

    def is_secret(self, trail: Trail) -> bool:
        """Whether no message may show what is written there."""
        step = ""
        while trail is not None:
            trail, step = trail
        return step in self.secret_fields

    def spend(self, count: int) -> None:
        """Counts values; raises `TooLarge` when there are too many."""
        self._values_left -= count + 1
        if self._values_left < 0:
            raise TooLarge

    def entries(self, mapping: MappingNode, trail: Trail) -> list[tuple[str, Node, Node]]:
        """The mapping's keys with the nodes of key and value, merges (``<<``) resolved.

        Notes double keys and keys that are not text.
        """
        self.spend(len(mapping.value))
        seen: dict[str, Node] = {}
        merged: list[tuple[str, Node, Node]] = []
        entries: list[tuple[str, Node, Node]] = []
        for key, value in mapping.value:
            if key.value == "<<" and key.tag == PLAIN:
                merged += self._merged(value, trail, depth=0)
                continue
            name = self._key(key, trail)
            if name is None:
                continue
            if name in seen:
                line, _ = place_of(seen[name])
                self.problem(key, trail, f"`{name}` is given twice, first in line {line}")
                continue
            seen[name] = key
            entries.append((name, key, value))
        for name, key, value in merged:
            if name not in seen:
                seen[name] = key
                entries.append((name, key, value))
        return entries

    def _merged(self, source: Node, trail: Trail, *, depth: int) -> list[tuple[str, Node, Node]]:
        """What ``<<: source`` adds; of equal keys the first counts."""
        if depth > MAX_MERGES:
            self.problem(source, trail, "a merge (<<) contains itself")
            return []
        sources = source.value if source.__class__ is SequenceNode else [source]
        found: list[tuple[str, Node, Node]] = []
        for mapping in sources:
            if mapping.__class__ is not MappingNode:
                self.problem(mapping, trail, "a merge (<<) takes a mapping or a list of mappings")
                continue
            self.spend(len(mapping.value))
            own: list[tuple[str, Node, Node]] = []
            inner: list[tuple[str, Node, Node]] = []
            for key, value in mapping.value:
                if key.value == "<<" and key.tag == PLAIN:
                    inner += self._merged(value, trail, depth=depth + 1)
                elif (name := self._key(key, trail)) is not None:
                    own.append((name, key, value))
            found += own + inner
        return found

    def _key(self, key: Node, trail: Trail) -> str | None:
        if key.__class__ is not ScalarNode:
            self.problem(key, trail, "a key must be text, not a list or a mapping")
            return None
        text: str = key.value
        kind = self.scalar_kind(key, trail)
        if kind is None:
            return None
        if kind != "text":
            shown = f"`{text}`" if text else "nothing"
            self.problem(
                key,
                trail,
                f"the key {shown} is {KIND_WORDS[kind]}, and must be text",
                hint=f'quote it: "{text}"',
            )
            return None
        return text

    def scalar_kind(self, node: ScalarNode, trail: Trail) -> Kind | None:
        """What a scalar is, or None after its tag was noted as a problem."""
        tag = node.tag
        if tag == PLAIN:
            return kind_of(node.value)
        if tag == QUOTED or EXPLICIT_TAGS.get(tag) == QUOTED:
            return "text"
        short = tag.removeprefix("tag:yaml.org,2002:")
        if short in ("int", "float", "bool", "null"):
            kind = kind_of(node.value)
            if kind == short or (short, kind) == ("float", "int"):
                return kind
        self.refuse_tag(node, trail)
        return None

    def is_collection(self, node: Node, trail: Trail) -> bool:
        """Whether a mapping's or sequence's tag is one that means nothing special."""
        if node.tag == COLLECTION or EXPLICIT_TAGS.get(node.tag) == COLLECTION:
            return True
        self.refuse_tag(node, trail)
        return False

    def refuse_tag(self, node: Node, trail: Trail) -> None:
        """Notes that the node's YAML tag is not honoured."""
        shown = node.tag.replace("tag:yaml.org,2002:", "!!")
        self.problem(node, trail, f"the YAML tag {shown} is not honoured here")


KIND_WORDS: dict[Kind, str] = {
    "text": "text",
    "bool": "true or false to YAML",
    "int": "a number to YAML",
    "float": "a number to YAML",
    "null": "null to YAML",
}


def render_trail(trail: Trail) -> str:
    """The way to a value as people write it: ``spec.containers[0].image``."""
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(step if step.startswith("[") or trail is None else "." + step)
    return "".join(reversed(steps))


def join_words(words: Iterable[str], last: str = "or") -> str:
    """The words as a list in a sentence: ``a, b or c``."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end
