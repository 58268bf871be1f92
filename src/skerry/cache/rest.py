"""A cloud at rest, known again by what its nodes answer: where nothing is to be changed.

A plan is made of the cloud folder, of which images the operator has, and of the nodes' answers.
Where all three are as they were when it was empty, it is empty.
"""

from __future__ import annotations

import json

try:
    # What hashlib has it from; hashlib itself loads OpenSSL, which takes as long as all the rest.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DISK_STEP = 1000 * 1000 * 1000
"""Free space on a disk counts in whole steps of so many bytes, as in cloud.lock."""
CLOCKS_AGREE = 60.0
"""Clocks that are further apart may be worth a note, in seconds."""

# What differs from one look to the next and is of no concern for a plan.
_PASSING_FACTS = ("time", "uptime", "memory_available", "memory_pods")
_PASSING_STATES = ("memory", "next", "restarts", "runs", "since")


def try_digest_answer(answer: bytes, key: bytes, now: float) -> str | None:
    """A digest, keyed with `key`, of all in a node's answer to ``observe`` that a plan goes by.

    `answer` is one line of JSON, the event ``result``; `now` is this machine's time, in seconds
    since 1970. None for anything else, and where the node's clock does not agree with it.
    """
    try:
        event = json.loads(answer)
        result = event["result"]
        if event["event"] != "result" or abs(result["facts"]["time"] - now) > CLOCKS_AGREE:
            return None
        essence = _essence_of(result)
        text = json.dumps(essence, sort_keys=True, separators=(",", ":"))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        # No answer of ours: whoever reads it with care says what is wrong with it.
        return None
    return blake2b(text.encode(), key=key, digest_size=16, person=b"skerry answer").hexdigest()


def _essence_of(result: dict[str, Any]) -> dict[str, Any]:
    facts = {name: fact for name, fact in result["facts"].items() if name not in _PASSING_FACTS}
    facts["disk_free"] //= DISK_STEP
    units = {
        unit: {
            **{name: one for name, one in state.items() if name not in _PASSING_STATES},
            "ended": state["ended"] > 0,
        }
        for unit, state in result["units"].items()
    }
    return {**result, "facts": facts, "units": units}
