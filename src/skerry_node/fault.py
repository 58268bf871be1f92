"""Faults that a person can understand; whatever else goes wrong is a bug and has a traceback."""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict


class NodeFault(Exception):
    """Something on the node is not as it must be.

    `id` is stable (``docs/errors.md`` lists them), `message` says what and where, `hint` what to
    do, `detail` holds another program's own words.
    """

    def __init__(self, id: str, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.id = id
        self.message = message
        self.hint = hint
        self.detail = detail

    def event(self) -> Dict[str, str]:
        """The fault as the last event of an exchange."""
        return {
            "event": "error",
            "id": self.id,
            "message": self.message,
            "hint": self.hint,
            "detail": self.detail,
        }


def fault_of(error: OSError) -> NodeFault | None:
    """The fault behind an error of the system that a person can mend; None for all others."""
    place = "%s" % (error.filename or "the node's disk")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NodeFault(
            "disk-full",
            "no space left for %s" % place,
            hint="`skerry prune` removes old generations and images",
        )
    if error.errno == errno.EROFS:
        return NodeFault(
            "read-only",
            "%s is on a file system that is mounted read-only" % place,
            hint="look at the node's kernel log: a failing disk is remounted read-only",
        )
    if error.errno == errno.EIO:
        return NodeFault("disk-broken", "the disk fails to read or write %s" % place)
    return None
