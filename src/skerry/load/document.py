"""YAML text to documents of located nodes. Values are not resolved here but where they are used.

Source: YAML 1.1 as libyaml reads it, the dialect that kubectl reads too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from skerry.errors import Problem
from skerry.load.files import FileFault, read_limited

__all__ = ["MappingNode", "Node", "Place", "ScalarNode", "SequenceNode"]

# Line and column, counted from 1.
Place: TypeAlias = tuple[int, int]

# libyaml's composer recurses in C: without a limit, deep nesting ends the whole program.
MAX_DEPTH = 100
# What a file of 8 MB can hold of values would fill the memory of a small computer.
MAX_NODES = 200_000

# Tags that the parser below gives; an explicit tag in the file stands in its full form.
PLAIN = ""
QUOTED = "quoted"
COLLECTION = "collection"

EXPLICIT_TAGS = {
    "tag:yaml.org,2002:str": QUOTED,
    "tag:yaml.org,2002:map": COLLECTION,
    "tag:yaml.org,2002:seq": COLLECTION,
}


class _TooDeep(Exception):
    def __init__(self, mark: yaml.Mark | None) -> None:
        super().__init__()
        self.mark = mark


class _TooMany(Exception):
    pass


class _Parser(yaml.CSafeLoader):
    """Composes nodes; of a scalar it only keeps whether it was plain."""

    depth = 0
    nodes_left = MAX_NODES

    def resolve(self, kind: type[Node], value: str, implicit: Any) -> str:
        self.nodes_left -= 1
        if not self.nodes_left:
            raise _TooMany
        if kind is ScalarNode:
            return PLAIN if implicit[0] else QUOTED
        return COLLECTION

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _TooDeep(parent.start_mark if parent is not None else None)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def place_of(node: Node) -> Place:
    """Where the node begins."""
    mark = node.start_mark
    return mark.line + 1, mark.column + 1


def is_null(node: Node) -> bool:
    """Whether nothing is written there, or a null."""
    return (
        node.__class__ is ScalarNode
        and node.tag == PLAIN
        and node.value in ("", "~", "null", "Null", "NULL")
    ) or node.tag == "tag:yaml.org,2002:null"


def read_text(path: Path, shown: str, problems: list[Problem]) -> str | None:
    """The file's text, or None after a problem was noted under the name `shown`."""
    try:
        content = read_limited(path)
    except FileNotFoundError:
        problems.append(Problem(shown, 0, 0, "there is no such file"))
        return None
    except FileFault as fault:
        problems.append(Problem(shown, 0, 0, str(fault)))
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        byte = content[error.start]
        problems.append(
            Problem(
                shown,
                line,
                column,
                f"is not UTF-8 text (byte 0x{byte:02x})",
                hint="save the file as UTF-8",
            )
        )
    return None


def parse_documents(text: str, file: str, problems: list[Problem]) -> list[Node]:
    """The root nodes of the text's documents, empty ones left out.

    A syntax error is noted in `problems`; the documents before it are returned all the same.
    """
    roots: list[Node] = []
    parser = None
    try:
        parser = _Parser(text)
        while parser.check_node():
            root = parser.get_node()
            if root is not None and not is_null(root):
                roots.append(root)
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax_problem(error, text, file))
    except yaml.reader.ReaderError as error:
        before = text[: max(error.position, 0)]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        problems.append(Problem(file, line, column, f"is not YAML: {error.reason}"))
    except _TooDeep as error:
        line, column = (error.mark.line + 1, error.mark.column + 1) if error.mark else (0, 0)
        problems.append(Problem(file, line, column, f"is nested more than {MAX_DEPTH} levels deep"))
    except _TooMany:
        problems.append(Problem(file, 0, 0, f"holds more than {MAX_NODES} values: not read"))
        return []
    except (RecursionError, UnicodeError) as error:
        problems.append(Problem(file, 0, 0, f"is not YAML: {error}"))
    finally:
        if parser is not None:
            parser.dispose()
    return roots


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    words = error.problem or error.context or "unknown error"
    hint = ""
    # The place may be after the last line.
    source = next(iter(text.splitlines()[line - 1 : line]), "") if line else ""
    if "\t" in source[: column + 1] and not source[: column - 1].strip():
        words, hint = "a tab stands where YAML wants spaces", "indent with spaces"
    elif "undefined alias" in words:
        words, hint = "this alias names no anchor", "an anchor (&name) comes before its alias"
    elif error.context and error.context_mark and error.context_mark.line + 1 != line:
        words = f"{words} ({error.context} that begins in line {error.context_mark.line + 1})"
    return Problem(file, line, column, f"is not YAML: {words}", hint=hint)
