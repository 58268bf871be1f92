"""What a plain (unquoted) scalar is: text, a number, true or false, or nothing.

The rules are those of the YAML reader in kubectl (sigs.k8s.io/yaml, go-yaml 2): YAML 1.1 with
``yes``, ``no``, ``on`` and ``off`` as booleans, without base-60 numbers; a date is text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Kind = Literal["text", "bool", "int", "float", "null"]

_BOOLEANS = {
    spelling: value
    for words, value in ((("true", "yes", "on"), True), (("false", "no", "off"), False))
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)\Z")
_FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_FIRST_OF_NOT_TEXT = frozenset("0123456789+-.tTfFyYnNoO~")


@lru_cache(4096)
def kind_of(text: str) -> Kind:
    """What YAML takes the plain scalar `text` for."""
    if not text or text[0] in _FIRST_OF_NOT_TEXT:
        if text in _NULLS:
            return "null"
        if text in _BOOLEANS:
            return "bool"
        if _INT.match(text) and not text.endswith("_"):
            return "int"
        if _FLOAT.match(text):
            return "float"
    return "text"


def parse_bool(text: str) -> bool:
    """The value of a plain scalar of kind bool."""
    return _BOOLEANS[text]


def parse_int(text: str) -> int:
    """The value of a plain scalar of kind int; a leading 0 means octal, as in YAML 1.1.

    Raises ValueError where it has more digits than any field can use.
    """
    digits = text.replace("_", "")
    if len(digits) > 70:
        raise ValueError("too many digits")
    sign = -1 if digits[0] == "-" else 1
    digits = digits.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def parse_float(text: str) -> float:
    """The value of a plain scalar of kind int or float, infinities and NaN included."""
    if "inf" in text.lower() or "nan" in text.lower():
        return float(text.lower().replace(".", ""))
    return float(text)
