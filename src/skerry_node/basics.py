"""What every part of the node program needs and what costs nothing to import.

`wire` shows the constants and functions to the operator's side; the program itself takes them
from here, because the types in `wire` make it import `typing`, 5 ms on a small node.
"""

from __future__ import annotations

from skerry_node.quick_json import dumps

try:
    # The interpreter's own SHA-256: hashlib loads OpenSSL, 5 ms and as many megabytes.
    from _sha2 import sha256 as sha256  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        from _sha256 import sha256 as sha256  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from hashlib import sha256 as sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 1
STATE_FOLDER = "/var/lib/skerry"
# A request line or an event longer than this is refused by either side, in bytes.
LINE_LIMIT = 64 * 1024 * 1024
# Exit status of the remote command when this version of the node program is not on the node.
PROGRAM_MISSING = 96
# The same when the node's Python has no module to unpack the program with.
UNPACKER_MISSING = 95
PYTHON_MISSING = 97
PYTHON_TOO_OLD = 98
# In the place of a digest that is known: what the request will be about, which is not known yet.
WILL_OBSERVE = "observe"
WILL_CHANGE = "change"
# The end of a log that is shown for a failed unit, in lines.
LOG_LINES = 20


def dump(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8; equal values give equal bytes."""
    return dumps(value).encode("utf-8", "surrogatepass")


def digest_of(content: bytes) -> str:
    """The digest that names a blob: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + str(sha256(content).hexdigest())
