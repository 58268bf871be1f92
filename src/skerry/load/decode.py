"""Located YAML nodes to model structs: all problems of a document, not only the first.

The model's annotations are the only declaration of a field: each type is compiled once to a
decoder (a closure), with msgspec's information on plain types, and a broken constraint is told in
the words of its `description`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
import msgspec.structs
from msgspec import inspect as types

from skerry.errors import Problem
from skerry.load.decode_scalar import (
    BAD,
    Decoder,
    Where,
    compile_literal,
    compile_scalar,
    note_expected,
    shown_text,
    text_check,
)
from skerry.load.document import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_null,
    place_of,
)
from skerry.load.reading import Reading, TooLarge, TooWrong, Trail, join_words, render_trail
from skerry.model.origin import Origin

T = TypeVar("T", bound=msgspec.Struct)


def decode(node: Node, kind: type[T], reading: Reading) -> T | None:
    """The struct that a document's root stands for, or None where a required part is bad.

    Problems go to `reading`. When there are any, bad optional fields have their defaults and bad
    entries of mappings and lists are left out, so the result serves only to look for more.
    """
    try:
        value = struct_decoder(kind)(node, reading, None)
    except TooLarge:
        reading.problem(node, None, "its aliases make it too large")
        return None
    except TooWrong:
        reading.problems.append(
            Problem(reading.file, *place_of(node), "has more errors: mend these first")
        )
        return None
    return None if value is BAD else value


@cache
def struct_decoder(kind: type[msgspec.Struct]) -> Decoder:
    """The decoder of one struct type; those of its fields' structs come with their first use."""
    return _compile_struct(kind)


def _later(kind: type[msgspec.Struct]) -> Decoder:
    """A decoder that is compiled when a document has such a mapping: most have few of the types.

    msgspec's inspection goes to the leaves of what it is given, so it is given no struct.
    """

    def decode_first(node: Node, reading: Reading, trail: Trail) -> Any:
        return struct_decoder(kind)(node, reading, trail)

    return decode_first


def _compile_annotation(annotation: Any, where: Where) -> Decoder:
    """The decoder of a field's type, as it is written in the model."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _later(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        members = [member for member in arguments if member is not NoneType]
        if len(members) == 1:
            return _compile_annotation(members[0], where)
    elif origin is Annotated and get_origin(arguments[0]) is tuple:
        least = max((meta.min_length or 0 for meta in arguments[1:]), default=0)
        return _compile_tuple(get_args(arguments[0])[0], least, where)
    elif origin is tuple:
        return _compile_tuple(arguments[0], 0, where)
    elif origin is dict:
        return _compile_dict(types.type_info(arguments[0]), arguments[1], where)
    return _compile(types.type_info(annotation), where)


def _compile(shape: types.Type, where: Where, words: str = "") -> Decoder:
    """The decoder of a plain type; `words` say in a message what a value must be."""
    if isinstance(shape, types.Metadata):
        return _compile(
            shape.type, where, (shape.extra_json_schema or {}).get("description", words)
        )
    if isinstance(shape, types.UnionType):
        return _compile_union(shape, words)
    if isinstance(shape, types.LiteralType):
        return compile_literal(shape, where)
    return compile_scalar([shape], words)


def _compile_struct(kind: type[msgspec.Struct]) -> Decoder:
    name, config = kind.__name__, kind.__struct_config__
    known = [field for field in msgspec.structs.fields(kind) if field.name != "origin"]
    fields = {
        field.encode_name: (
            field.name,
            _compile_annotation(field.type, (name, field.encode_name)),
            field.required,
        )
        for field in known
    }
    required = [field.encode_name for field in known if field.required]
    tag = (config.tag_field, str(config.tag)) if config.tag_field else None
    names = [*([tag[0]] if tag and tag[0] else []), *fields]
    skips_extensions = _is_ours(kind)

    def decode_struct(node: Node, reading: Reading, trail: Trail) -> Any:
        if node.__class__ is not MappingNode:
            return note_expected("a mapping of fields", node, reading, trail)
        if not reading.is_collection(node, trail):
            return BAD
        mark = node.start_mark
        places: dict[str, tuple[int, int]] = {}
        values: dict[str, Any] = {
            "origin": Origin(reading.file, mark.line + 1, mark.column + 1, places)
        }
        has_bad = False
        for key, key_node, value in reading.entries(node, trail):
            field = fields.get(key)
            if field is None:
                if tag is not None and key == tag[0]:
                    _check_tag(value, tag[1], reading, (trail, key))
                elif not (skips_extensions and key.startswith("x-")):
                    _unknown_field(name, key, names, key_node, value, reading, trail)
                continue
            attribute, decoder, is_required = field
            if is_null(value) and not is_required:
                continue
            mark = value.start_mark
            places[key] = (mark.line + 1, mark.column + 1)
            _note_items(places, key, value)
            result = decoder(value, reading, (trail, key))
            if result is not BAD:
                values[attribute] = result
            elif is_required:
                has_bad = True
            else:
                reading.broken.add(render_trail((trail, key)))
        missing = [key for key in required if key not in places]
        if missing:
            several = "s" if len(missing) > 1 else ""
            shown = join_words((f"`{key}`" for key in missing), "and")
            from skerry.load.refusals import MISSING

            reasons = [MISSING.get(f"{name}.{key}") for key in missing]
            hint = "; ".join(f"{why.reason}: {why.hint}" for why in reasons if why is not None)
            reading.problem(node, trail, f"the field{several} {shown} must be given", hint=hint)
        if missing or has_bad:
            return BAD
        return kind(**values)

    return decode_struct


def _is_ours(kind: type) -> bool:
    """Whether the file is Skerry's own (``x-`` keys hold anchors), not one that kubectl reads."""
    return kind.__module__ == "skerry.model.cloud"


def _note_items(places: dict[str, tuple[int, int]], key: str, value: Node) -> None:
    if value.__class__ is SequenceNode:
        for index, item in enumerate(value.value):
            mark = item.start_mark
            places[f"{key}[{index}]"] = (mark.line + 1, mark.column + 1)
    elif value.__class__ is MappingNode:
        for inner, item in value.value:
            if inner.__class__ is ScalarNode:
                mark = item.start_mark
                places[f"{key}[{inner.value}]"] = (mark.line + 1, mark.column + 1)


def _check_tag(node: Node, tag: str, reading: Reading, trail: Trail) -> None:
    if node.value != tag:
        reading.problem(node, trail, f"must be {tag}")


def _unknown_field(
    type_name: str,
    key: str,
    names: list[str],
    key_node: Node,
    value: Node,
    reading: Reading,
    trail: Trail,
) -> None:
    from skerry.load.unknown import explain_field, kubernetes_fields, refusal_of_field

    is_theirs = key in kubernetes_fields(type_name)
    # kubectl's own output says "creationTimestamp: null": nothing is asked for.
    if is_theirs and is_null(value):
        return
    if is_theirs:
        reason, hint = refusal_of_field(type_name, key)
        reading.problem(key_node, (trail, key), f"refused: {reason}", hint=hint)
        return
    message, hint = explain_field(type_name, key, names)
    reading.problem(key_node, trail, message, hint=hint)


def _compile_union(shape: types.UnionType, words: str) -> Decoder:
    members = [member for member in shape.types if not isinstance(member, types.NoneType)]
    plain = [member.type if isinstance(member, types.Metadata) else member for member in members]
    for member in members:
        if isinstance(member, types.Metadata) and not words:
            words = (member.extra_json_schema or {}).get("description", "")
    return compile_scalar(plain, words)


def _compile_tuple(item: Any, min_length: int, where: Where) -> Decoder:
    decode_item = _compile_annotation(item, where)

    def decode_tuple(node: Node, reading: Reading, trail: Trail) -> Any:
        if node.__class__ is not SequenceNode:
            return note_expected("a list", node, reading, trail)
        if not reading.is_collection(node, trail):
            return BAD
        items = node.value
        reading.spend(len(items))
        if len(items) < min_length:
            reading.problem(node, trail, f"must have at least {min_length} item")
            return BAD
        decoded = [
            decode_item(item, reading, (trail, f"[{index}]")) for index, item in enumerate(items)
        ]
        return tuple(value for value in decoded if value is not BAD)

    return decode_tuple


def _compile_dict(key_shape: types.Type, value: Any, where: Where) -> Decoder:
    decode_value = _compile_annotation(value, where)
    check_key = _compile_key(key_shape)

    def decode_dict(node: Node, reading: Reading, trail: Trail) -> Any:
        if node.__class__ is not MappingNode:
            return note_expected("a mapping", node, reading, trail)
        if not reading.is_collection(node, trail):
            return BAD
        values: dict[str, Any] = {}
        for key, key_node, value in reading.entries(node, trail):
            is_good = check_key(key, key_node, reading, trail)
            inner = (trail, f"[{key}]" if "." in key or "/" in key else key)
            decoded = decode_value(value, reading, inner)
            if is_good and decoded is not BAD:
                values[key] = decoded
            else:
                reading.broken.add(render_trail((trail, key)))
        return values

    return decode_dict


def _compile_key(shape: types.Type) -> Callable[[str, Node, Reading, Trail], bool]:
    words = "a key"
    if isinstance(shape, types.Metadata):
        words = (shape.extra_json_schema or {}).get("description", words)
        shape = shape.type
    assert isinstance(shape, types.StrType)
    fits = text_check(shape)

    def check_key(key: str, node: Node, reading: Reading, trail: Trail) -> bool:
        if fits(key):
            return True
        reading.problem(node, trail, f"the key {shown_text(key)} must be {words}")
        return False

    return check_key
