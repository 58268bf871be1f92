"""Scalars of a document: text, numbers, true and false, by their types' constraints."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import inspect as types

from skerry.load.document import MappingNode, Node, ScalarNode, SequenceNode
from skerry.load.reading import KIND_WORDS, Reading, Trail, join_words
from skerry.load.scalar import parse_bool, parse_float, parse_int

Decoder: TypeAlias = Callable[[Node, Reading, Trail], Any]
# The struct type and the field (as files write it) that a value stands in.
Where: TypeAlias = "tuple[str, str]"


class _Bad:
    """What a decoder returns after it noted a problem."""


BAD = _Bad()


def compile_literal(shape: types.LiteralType, where: Where) -> Decoder:
    """The decoder of one out of several words; another that Kubernetes has is refused by name."""
    values = frozenset(shape.values)
    words = join_words(str(value) or '""' for value in shape.values)

    def decode_literal(node: Node, reading: Reading, trail: Trail) -> Any:
        if node.__class__ is not ScalarNode:
            return note_expected(words, node, reading, trail)
        kind = reading.scalar_kind(node, trail)
        if kind is None:
            return BAD
        if kind == "text" and node.value in values:
            return node.value
        from skerry.load.unknown import try_refusal_of_value

        refusal = try_refusal_of_value(*where, node.value) if kind == "text" else None
        if refusal is None:
            return note_expected(words, node, reading, trail)
        message = f"{node.value} is refused: {refusal.reason}"
        reading.problem(node, trail, message, hint=refusal.hint)
        return BAD

    return decode_literal


def text_check(shape: types.StrType) -> Callable[[str], bool]:
    """Whether a text keeps the constraints of its type."""
    # "$" also matches before a newline at the end.
    pattern = re.compile(re.sub(r"\$$", r"\\Z", shape.pattern)) if shape.pattern else None
    least, most = shape.min_length or 0, shape.max_length

    def fits(text: str) -> bool:
        return (
            (pattern is None or pattern.search(text) is not None)
            and len(text) >= least
            and (most is None or len(text) <= most)
        )

    return fits


def _number_check(shape: types.IntType | types.FloatType) -> Callable[[int | float], bool]:
    least = float("-inf") if shape.ge is None else shape.ge
    most = float("inf") if shape.le is None else shape.le

    def fits(number: int | float) -> bool:
        # An infinity fits nothing, NaN compares as false.
        return least <= number <= most and abs(number) != float("inf")

    return fits


def _scalar_words(shape: types.Type) -> str:
    """What a value of a type without a description must be."""
    if isinstance(shape, types.BoolType):
        return "true or false"
    if isinstance(shape, types.IntType):
        if shape.ge is not None and shape.le is not None:
            return f"a whole number from {shape.ge} to {shape.le}"
        return f"a whole number, {shape.ge} or more" if shape.ge is not None else "a whole number"
    return "a number" if isinstance(shape, types.FloatType) else "text"


def compile_scalar(shapes: list[types.Type], words: str) -> Decoder:
    """The decoder of text, numbers, true and false, or of a union of these."""
    fits_text = fits_int = fits_float = None
    takes_bool = False
    for shape in shapes:
        if isinstance(shape, types.StrType):
            fits_text = text_check(shape)
        elif isinstance(shape, types.IntType):
            fits_int = _number_check(shape)
        elif isinstance(shape, types.FloatType):
            fits_float = _number_check(shape)
        elif isinstance(shape, types.BoolType):
            takes_bool = True
        else:
            raise TypeError(f"the loader has no decoder for {shape}")
    words = words or _scalar_words(shapes[0])

    def decode_scalar(node: Node, reading: Reading, trail: Trail) -> Any:
        if node.__class__ is not ScalarNode:
            return note_expected(words, node, reading, trail)
        kind = reading.scalar_kind(node, trail)
        text: str = node.value
        try:
            if kind == "text":
                if fits_text is not None and fits_text(text):
                    return text if "\0" not in text else _nul(node, reading, trail)
            elif kind == "int" and fits_int is not None:
                if fits_int(number := parse_int(text)):
                    return number
            elif kind in ("int", "float") and fits_float is not None:
                if fits_float(fraction := parse_float(text)):
                    return fraction
            elif kind == "bool" and takes_bool:
                return parse_bool(text)
            elif kind is None:
                return BAD
        except ValueError:
            # A number with more digits than any field can use.
            pass
        is_text_if_quoted = fits_text is not None and fits_text(text)
        return note_expected(words, node, reading, trail, is_text_if_quoted=is_text_if_quoted)

    return decode_scalar


def _nul(node: Node, reading: Reading, trail: Trail) -> Any:
    reading.problem(node, trail, "must not hold the character NUL (\\0)")
    return BAD


def note_expected(
    words: str, node: Node, reading: Reading, trail: Trail, *, is_text_if_quoted: bool = False
) -> Any:
    """Notes that something else stands where `words` were expected, and what to do."""
    found, hint = "", ""
    if node.__class__ is MappingNode:
        found = "a mapping"
    elif node.__class__ is SequenceNode:
        found = "a list"
    elif isinstance(node, ScalarNode):
        text: str = node.value
        kind = reading.scalar_kind(node, trail)
        if kind is None:
            return BAD
        if reading.is_secret(trail) and kind != "null":
            found = f"what is {KIND_WORDS[kind]}"
            hint = "quote it" if is_text_if_quoted and kind != "text" else ""
            reading.problem(node, trail, f"must be {words}, not {found}", hint=hint)
            return BAD
        found = shown_text(text) if kind == "text" else text
        if kind == "null":
            found = "nothing"
            hint = 'write "" for an empty text' if words == "text" else ""
        elif is_text_if_quoted and kind != "text":
            found = f"{text}, which is {KIND_WORDS[kind]}"
            hint = f'quote it: "{text}"'
        elif kind == "text" and words.startswith(("a whole number", "true or false")):
            is_number = words.startswith("a whole")
            bare = text.strip()
            if (is_number and bare.isdecimal()) or bare in ("true", "false"):
                hint = "write it without quotes"
    reading.problem(node, trail, f"must be {words}, not {found}", hint=hint)
    return BAD


def shown_text(text: str) -> str:
    """A value in a message: quoted, on one line, not too long."""
    import json

    short = text if len(text) <= 60 else text[:57] + "..."
    return json.dumps(short, ensure_ascii=False)
