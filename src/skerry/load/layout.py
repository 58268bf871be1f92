"""Where the parts of a YAML text stand, to change one of them and leave all others as they are.

Unlike composed nodes, these know aliases, anchors and the end of what was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import yaml

from skerry.errors import UsageError
from skerry.load.document import MAX_DEPTH
from skerry.load.scalar import kind_of

# A plain scalar of these characters means itself, wherever it stands, unless it is no text.
_PLAIN = re.compile(r"[A-Za-z0-9_./~][-A-Za-z0-9_./@~]*\Z")
# JSON's strings are YAML's, but for the characters that YAML wants escaped or folds.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class Part:
    """A value in the text: from `start` to `end`, counted in characters.

    `end` is after the last character that belongs to the value, before any comment.
    """

    def __init__(
        self,
        kind: Literal["scalar", "alias", "mapping", "sequence"],
        event: Any,
        *,
        flow: bool = False,
    ) -> None:
        self.kind = kind
        self.start: int = event.start_mark.index
        self.end: int = event.end_mark.index
        self.column: int = event.start_mark.column
        self.flow = flow
        self.anchor: str | None = event.anchor
        self.tag: str | None = None if kind == "alias" else event.tag
        self.value: str = event.value if kind == "scalar" else ""
        self.plain = kind == "scalar" and bool(event.implicit[0])
        self.children: list[Part] = []

    @property
    def pairs(self) -> list[tuple[Part, Part]]:
        """A mapping's keys and values."""
        return list(zip(self.children[::2], self.children[1::2], strict=True))

    @property
    def end_of_last(self) -> int:
        """Where a collection's last key or value ends."""
        return max(child.end for child in self.children)

    @property
    def is_null(self) -> bool:
        """Whether nothing is written, or a null."""
        return self.kind == "scalar" and self.plain and kind_of(self.value) == "null"

    def find(self, key: str) -> tuple[Part, Part] | None:
        """A mapping's key and value by the key's text."""
        return next((pair for pair in self.pairs if pair[0].value == key), None)

    def meaning(self) -> object:
        """What the part says, without its layout: parts that mean the same are equal."""
        own: object
        if self.kind == "scalar":
            own = (kind_of(self.value) if self.plain else "text", self.value)
        elif self.kind == "mapping":
            own = sorted((repr(key.meaning()), value.meaning()) for key, value in self.pairs)
        else:
            own = [child.meaning() for child in self.children]
        return (self.kind, self.anchor, self.tag, own)


def parse_layout(text: str) -> Part:
    """The one document of a YAML text. Raises UsageError where that is not what it is."""
    try:
        events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        roots = [
            _parse_part(event, events, 0)
            for event in events
            if not isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent)
            and not isinstance(event, yaml.DocumentStartEvent | yaml.DocumentEndEvent)
        ]
    except yaml.YAMLError as error:
        raise UsageError(f"the text is not YAML: {error}", hint="see `skerry check`") from None
    if len(roots) != 1 or roots[0].kind != "mapping":
        raise UsageError("the text is not one YAML mapping", hint="see `skerry check`")
    _check_aliases(roots[0])
    return roots[0]


def _parse_part(event: Any, events: Iterator[Any], depth: int) -> Part:
    if depth > MAX_DEPTH:
        raise UsageError(f"the text is nested more than {MAX_DEPTH} levels deep")
    if isinstance(event, yaml.AliasEvent):
        return Part("alias", event)
    if isinstance(event, yaml.ScalarEvent):
        return Part("scalar", event)
    is_mapping = isinstance(event, yaml.MappingStartEvent)
    part = Part("mapping" if is_mapping else "sequence", event, flow=bool(event.flow_style))
    end = yaml.MappingEndEvent if is_mapping else yaml.SequenceEndEvent
    inner: object
    while not isinstance(inner := next(events), end):
        part.children.append(_parse_part(inner, events, depth + 1))
    # A block ends where its last value does; its event comes after the comments that follow.
    ending: Any = inner
    part.end = ending.end_mark.index if part.flow else part.children[-1].end
    return part


def _check_aliases(root: Part) -> None:
    anchors: set[str | None] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.kind == "alias" and part.anchor not in anchors:
            raise UsageError(f"the alias *{part.anchor} names no anchor")
        if part.kind != "alias" and part.anchor is not None:
            anchors.add(part.anchor)
        waiting += reversed(part.children)


def render_value(value: object) -> str:
    """A value in flow style on one line, text quoted wherever it could be something else.

    Takes text, numbers, booleans, lists and mappings with text as keys. Raises TypeError.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        if _PLAIN.match(value) and kind_of(value) == "text":
            return value
        quoted = json.dumps(value, ensure_ascii=False)
        return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(render_value, value))}]"
    if isinstance(value, dict):
        pairs = (f"{render_value(str(key))}: {render_value(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    raise TypeError(f"no YAML for {value!r}")
