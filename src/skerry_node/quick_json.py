"""JSON by the interpreter's own scanner and encoder, without the module `json` around them.

`json` is what everybody else shall take. It imports `re`, and with that more than half of what a
node program imports: 9 of its 24 ms on a small node. The scanner and the encoder are the same.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

_SPACE = " \t\n\r"


class _Rules:
    """What the scanner asks its context for: the defaults of `json.JSONDecoder`."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "NaN": float("nan"),
        "Infinity": float("inf"),
        "-Infinity": float("-inf"),
    }.__getitem__


def loads(content: Union[str, bytes]) -> Any:
    """The value of a JSON text, which is UTF-8. Raises ValueError, and RecursionError where it is
    too deep."""
    text = content if isinstance(content, str) else content.decode("utf-8", "surrogatepass")
    if _scan is None:
        import json

        return json.loads(text)
    try:
        value, end = _scan(text, len(text) - len(text.lstrip(_SPACE)))
    except StopIteration as stop:
        raise ValueError("no JSON value at character %d" % stop.value) from None
    if text[end:].strip(_SPACE):
        raise ValueError("something follows the JSON value, at character %d" % end)
    return value


def dumps(value: Any) -> str:
    """The JSON text of a value, with sorted keys and no spaces: equal values give equal texts."""
    if _encode is None:
        import json

        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "".join(_encode(value, 0))


def _refuse(value: object) -> Any:
    raise TypeError("%s is nothing for JSON" % type(value).__name__)


_scan: Any = None
_encode: Any = None
try:
    from _json import encode_basestring, make_encoder, make_scanner

    rules: Any = _Rules
    _scan = make_scanner(rules)
    _encode = make_encoder(None, _refuse, encode_basestring, None, ":", ",", True, False, True)
except (ImportError, TypeError, AttributeError):
    # Another interpreter than CPython, or a later one that wants something else.
    _scan = _encode = None
