"""Located YAML nodes to model structs: all problems of a document, not only the first.

The model's annotations are the only declaration of a field: each type is compiled once to a
decoder (a closure) from msgspec's type information, and a broken constraint is told in the words
of its `description`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as types

from skerry.load.decode_scalar import (
    BAD,
    Decoder,
    compile_literal,
    compile_scalar,
    note_expected,
    shown_text,
    text_check,
)
from skerry.load.document import MappingNode, Node, ScalarNode, SequenceNode, is_null
from skerry.load.reading import Reading, TooLarge, Trail, join_words, render_trail
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
    return None if value is BAD else value


@cache
def struct_decoder(kind: type[msgspec.Struct]) -> Decoder:
    """The decoder of one struct type; those of its fields' types are compiled with it."""
    shape = types.type_info(kind)
    assert isinstance(shape, types.StructType)
    return _struct_decoder_of(shape)


_struct_decoders: dict[type, Decoder] = {}


def _struct_decoder_of(shape: types.StructType) -> Decoder:
    if shape.cls not in _struct_decoders:
        _struct_decoders[shape.cls] = _compile_struct(shape)
    return _struct_decoders[shape.cls]


def _compile(shape: types.Type, words: str = "") -> Decoder:
    """The decoder of any type of the model; `words` say in a message what a value must be."""
    if isinstance(shape, types.Metadata):
        return _compile(shape.type, (shape.extra_json_schema or {}).get("description", words))
    if isinstance(shape, types.StructType):
        return _struct_decoder_of(shape)
    if isinstance(shape, types.UnionType):
        return _compile_union(shape, words)
    if isinstance(shape, types.VarTupleType):
        return _compile_tuple(shape)
    if isinstance(shape, types.DictType):
        return _compile_dict(shape)
    if isinstance(shape, types.LiteralType):
        return compile_literal(shape)
    return compile_scalar([shape], words)


def _compile_struct(shape: types.StructType) -> Decoder:
    kind, name = shape.cls, shape.cls.__name__
    known = [field for field in shape.fields if field.name != "origin"]
    fields = {
        field.encode_name: (field.name, _compile(field.type), field.required) for field in known
    }
    required = [field.encode_name for field in known if field.required]
    tag = (shape.tag_field, str(shape.tag)) if shape.tag_field else None
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
            reading.problem(node, trail, f"the field{several} {shown} must be given")
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
    from skerry.load.unknown import explain_field, kubernetes_fields

    # kubectl's own output says "creationTimestamp: null": nothing is asked for.
    if is_null(value) and key in kubernetes_fields(type_name):
        return
    message, hint = explain_field(type_name, key, names)
    reading.problem(key_node, trail, message, hint=hint)


def _compile_union(shape: types.UnionType, words: str) -> Decoder:
    members = [member for member in shape.types if not isinstance(member, types.NoneType)]
    if len(members) == 1:
        return _compile(members[0], words)
    plain = [member.type if isinstance(member, types.Metadata) else member for member in members]
    for member in members:
        if isinstance(member, types.Metadata) and not words:
            words = (member.extra_json_schema or {}).get("description", "")
    return compile_scalar(plain, words)


def _compile_tuple(shape: types.VarTupleType) -> Decoder:
    decode_item = _compile(shape.item_type)
    min_length = shape.min_length or 0

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


def _compile_dict(shape: types.DictType) -> Decoder:
    decode_value = _compile(shape.value_type)
    check_key = _compile_key(shape.key_type)

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
