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
    """The fault behind an error of the system; None for what only a bug can cause."""
    # Of two names the second one is what was to be replaced.
    place = "%s" % (error.filename2 or error.filename or "the node's disk")
    number = error.errno
    if number in (errno.ENOSPC, errno.EDQUOT):
        return NodeFault(
            "disk-full",
            "no space left for %s" % place,
            hint="`skerry prune` removes old generations and images; `df` and `df -i` on the node "
            "show what is full",
        )
    if number == errno.EROFS:
        return NodeFault(
            "read-only",
            "%s is on a file system that is mounted read-only" % place,
            hint="look at the node's kernel log: a failing disk is remounted read-only",
        )
    if number == errno.EIO:
        return NodeFault(
            "disk-broken",
            "the disk fails to read or write %s" % place,
            hint="look at the node's kernel log, and save what you need from that disk",
        )
    if number in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN):
        return NodeFault(
            "node-exhausted",
            "the node has no memory, processes or open files left (%s)" % error.strerror,
            hint="see what takes them (`free`, `ps`), and run the command again",
        )
    if number in (errno.EPERM, errno.EACCES):
        return NodeFault(
            "immutable",
            "%s cannot be changed, not even by root" % place,
            hint="`lsattr` on the node shows whether somebody made it immutable; `chattr -i` "
            "takes that back",
        )
    if error.filename is None:
        return None
    return NodeFault(
        "path-unusable",
        "%s cannot be used: %s" % (place, error.strerror),
        hint="look at what lies there on the node, and move away what does not belong there",
    )


def words_of(error: BaseException) -> str:
    """An error in one line, with what to do."""
    fault = fault_of(error) if isinstance(error, OSError) else error
    if isinstance(fault, NodeFault):
        return "%s (%s)" % (fault.message, fault.hint) if fault.hint else fault.message
    return str(error) or type(error).__name__
