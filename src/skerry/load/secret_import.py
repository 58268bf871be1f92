"""Secrets that come from elsewhere: .env files, and Kubernetes Secrets as kubectl prints them.

Read leniently, because a file from elsewhere is full of what Skerry does not honour; and no
message has a value in it.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

from skerry.errors import CloudInvalid, Problem
from skerry.load.document import MappingNode, Node, ScalarNode, SequenceNode, parse_documents

_ENV_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*(.*)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A Secret from elsewhere; `name` is empty for a .env file."""

    name: str
    type: str
    immutable: bool
    values: dict[str, bytes]


def parse_import(content: bytes, file: str) -> list[Imported]:
    """What a file holds: Secrets, where it has a `kind`, or the lines of a .env file.

    Raises CloudInvalid with all problems, by their places in the file.
    """
    problems: list[Problem] = []
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CloudInvalid([Problem(file, 0, 0, "is not UTF-8 text")]) from None
    if re.search(r'^[ \t]*"?kind"?[ \t]*:', text, re.MULTILINE):
        found = _parse_manifests(text, file, problems)
    else:
        found = [_parse_env(text, file, problems)]
    if not problems and not any(one.values for one in found):
        problems.append(Problem(file, 0, 0, "there is no secret in it"))
    if problems:
        raise CloudInvalid(problems)
    return found


def _parse_env(text: str, file: str, problems: list[Problem]) -> Imported:
    values: dict[str, bytes] = {}
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at].strip()
        at += 1
        if not line or line.startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line)
        if match is None:
            problems.append(Problem(file, number, 1, "is no line NAME=VALUE"))
            continue
        name, rest = match[1], match[2]
        quote = rest[:1]
        if quote in ("'", '"'):
            while not _is_closed(rest, quote) and at < len(lines):
                rest += "\n" + lines[at]
                at += 1
            if not _is_closed(rest, quote):
                problems.append(Problem(file, number, 1, f"{name}: the quote does not end"))
                continue
            value = _unquoted(rest, quote)
        else:
            value = re.split(r"[ \t]+#", rest, maxsplit=1)[0].rstrip()
        values[name] = value.encode()
    return Imported(name="", type="Opaque", immutable=False, values=values)


def _is_closed(text: str, quote: str) -> bool:
    return _closing(text, quote) > 0


def _closing(text: str, quote: str) -> int:
    """Where the quote that begins the text ends; 0 if it does not."""
    at = 1
    while at < len(text):
        if text[at] == "\\" and quote == '"':
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return 0


def _unquoted(text: str, quote: str) -> str:
    inner = text[1 : _closing(text, quote)]
    if quote == "'":
        return inner
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), inner, flags=re.DOTALL)


def _parse_manifests(text: str, file: str, problems: list[Problem]) -> list[Imported]:
    found: list[Imported] = []
    waiting = parse_documents(text, file, problems)
    while waiting:
        root = waiting.pop(0)
        fields = _fields(root)
        kind = _text(fields.get("kind"))
        items = fields.get("items")
        if kind in ("List", "SecretList") and isinstance(items, SequenceNode):
            waiting = [*items.value, *waiting]
        elif kind in ("Secret", None) and ("data" in fields or "stringData" in fields):
            found.append(_parse_secret(root, fields, file, problems))
    return found


def _parse_secret(
    root: Node, fields: dict[str, Node], file: str, problems: list[Problem]
) -> Imported:
    name = _text(_fields(fields.get("metadata")).get("name")) or ""
    if not name:
        problems.append(Problem(file, root.start_mark.line + 1, 1, "a Secret has a metadata.name"))
    values: dict[str, bytes] = {}
    for key, node in _fields(fields.get("data")).items():
        try:
            values[key] = base64.b64decode("".join((_text(node) or "").split()), validate=True)
        except (binascii.Error, ValueError):
            mark = node.start_mark
            problems.append(
                Problem(file, mark.line + 1, mark.column + 1, f"the value of {key!r} is not base64")
            )
    for key, node in _fields(fields.get("stringData")).items():
        values[key] = (_text(node) or "").encode()
    return Imported(
        name=name,
        type=_text(fields.get("type")) or "Opaque",
        immutable=_text(fields.get("immutable")) == "true",
        values=values,
    )


def _fields(node: Node | None) -> dict[str, Node]:
    if not isinstance(node, MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, ScalarNode)}


def _text(node: Node | None) -> str | None:
    return str(node.value) if isinstance(node, ScalarNode) else None
