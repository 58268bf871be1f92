"""What remembers that a unit has ended for good, so that a reboot does not run it again.

A stamp is a small file below /var/lib/skerry with how it ended (``success 0``, ``exit-code 3``).
Its name has the digest of what the unit is made from: what was changed since runs again. A unit
whose stamp is there is not started; the node program removes the stamp when it starts the unit
anew or takes it away.

Source: systemd.exec(5), ``$SERVICE_RESULT``, ``$EXIT_STATUS``, ``$MAINPID``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from skerry.compile.runtimes.quadlet import Section, quote_systemd

COMPLETED_FOLDER = "/var/lib/skerry/completed"
_WRITE = (
    'mkdir -p "${1%/*}" && echo "${SERVICE_RESULT:-success} ${EXIT_STATUS:-0}" >"$1" && sync "$1"'
)


class Completion(msgspec.Struct, frozen=True):
    """The stamp's path (`Unit.completed`), and lines for the unit's [Unit] and [Service]."""

    stamp: str
    unit: Section
    service: Section


def compile_completion(
    name: str,
    content: Iterable[bytes],
    *,
    kind: Literal["container", "oneshot"] = "container",
    when: Literal["success", "any end", "never"] = "success",
) -> Completion:
    """What lets the unit `name`, which is made from `content`, end once and for all.

    A ``container`` is a service that runs and ends by itself; being told to stop, as in a
    shutdown, is no end. A ``oneshot`` ends with its command; of it only success is kept. `when` is
    ``never`` where somebody else writes the stamp.
    """
    digest = hashlib.sha256()
    for part in content:
        digest.update(b"%d:" % len(part) + part)
    stamp = f"{COMPLETED_FOLDER}/{name}@{digest.hexdigest()[:16]}"
    if when == "never":
        return Completion(stamp, [("ConditionPathExists", f"!{stamp}")], [])
    if kind == "oneshot":
        entry = ("ExecStartPost", _command(_WRITE, stamp))
    else:
        # Without a main process it has ended by itself.
        test = '[ -n "$MAINPID" ]'
        if when == "success":
            test += ' || [ "$SERVICE_RESULT" != success ]'
        entry = ("ExecStop", _command(f"{test} || {{ {_WRITE}; }}", stamp))
    return Completion(stamp, [("ConditionPathExists", f"!{stamp}")], [entry])


def _command(script: str, stamp: str) -> str:
    return " ".join(map(quote_systemd, ("/bin/sh", "-c", script, "sh", stamp)))
