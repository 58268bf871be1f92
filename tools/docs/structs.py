"""What msgspec knows of a struct, in words for a page: fields, types, defaults, bounds."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec
from msgspec import inspect

UNITS = {"str": "text", "int": "number", "float": "number", "bool": "true or false"}


def docstring(kind: type[msgspec.Struct]) -> str:
    """The class's docstring as Markdown, with its fields under the names that a file has."""
    text = markdown(cleandoc(kind.__doc__ or ""))
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    for field in described.fields:
        text = text.replace(f"`{field.name}`", f"`{field.encode_name}`")
    return text


def markdown(text: str) -> str:
    """Docstring text as Markdown: double backticks become single ones."""
    return text.replace("``", "`")


def fields_table(kind: type[msgspec.Struct], *, hidden: tuple[str, ...] = ("origin",)) -> list[str]:
    """A Markdown table of the fields that a file can have, with their defaults."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    lines = ["| field | value | default |", "|---|---|---|"]
    if described.tag is not None:
        lines.append(f"| `{described.tag_field}` | `{described.tag}` | **required** |")
    for field in described.fields:
        if field.name not in hidden:
            words = describe_type(field.type)
            lines.append(f"| `{field.encode_name}` | {words} | {_default(field)} |")
    return lines


def output_table(kind: type[msgspec.Struct], *, hidden: tuple[str, ...] = ()) -> list[str]:
    """A Markdown table of the fields that a JSON output has: all of them, always."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    lines = ["| field | value |", "|---|---|"]
    for field in described.fields:
        if field.name in hidden:
            continue
        words = describe_type(field.type)
        is_optional = isinstance(field.type, inspect.UnionType) and field.type.includes_none
        tail = " or `null`" if is_optional else ""
        lines.append(f"| `{field.encode_name}` | {words}{tail} |")
    return lines if len(lines) > 2 else []


def describe_type(kind: inspect.Type) -> str:
    """A type in words, with its bounds."""
    if isinstance(kind, inspect.Metadata):
        note = (kind.extra_json_schema or {}).get("description")
        return str(note) if note else describe_type(kind.type)
    if isinstance(kind, inspect.UnionType):
        # A quantity may be text or a number; its first description says it all.
        given = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return describe_type(given[0])
    if isinstance(kind, inspect.StructType):
        return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
    if isinstance(kind, inspect.LiteralType):
        return " or ".join(f"`{value}`" if value else "empty" for value in kind.values)
    if isinstance(kind, inspect.DictType):
        key, value = describe_type(kind.key_type), describe_type(kind.value_type)
        return f"mapping: {_short(key)} → {_short(value)}"
    if isinstance(kind, (inspect.VarTupleType, inspect.ListType)):
        item = describe_type(kind.item_type)
        least = ", at least one" if kind.min_length else ""
        is_word = item.startswith(("[", *UNITS.values()))
        return f"list of {item}{least}" if is_word else f"list; each is {item}"
    if isinstance(kind, inspect.EnumType):
        return " or ".join(f"`{member.value}`" for member in kind.cls)
    return _describe_scalar(kind)


def _describe_scalar(kind: inspect.Type) -> str:
    word = type(kind).__name__.removesuffix("Type").lower()
    words = UNITS.get(word, word)
    least, most = getattr(kind, "ge", None), getattr(kind, "le", None)
    if least is not None and most is not None:
        return f"{words}, {least} to {most}"
    return words if least is None else f"{words}, {least} or more"


def _default(field: inspect.Field) -> str:
    if field.required:
        return "**required**"
    value: Any = field.default
    if callable(field.default_factory):
        value = field.default_factory()
    if value in (None, msgspec.NODEFAULT, (), {}, [], "") or isinstance(value, msgspec.Struct):
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _short(words: str) -> str:
    """The words without the bounds, for a table's cell that names two types."""
    return words if words.startswith("[") else words.partition(":")[0].partition(" (")[0]
