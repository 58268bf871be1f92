"""The error tree: what a person sees when something is wrong.

Each class has a stable id (``docs/errors.md`` lists them), an exit code, and a hint that says
what to do. An error that is not a `SkerryError` is a bug: `cli.last_resort` says so in a line
and writes a report with the traceback.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process returns; the table is part of the interface."""

    DONE = 0
    BUG = 1
    INVALID = 2
    NODE_FAILED = 3
    DRIFT = 4
    LOCKED = 5


class SkerryError(Exception):
    """A fault that a person can understand and mend.

    `message` says what is wrong and where; `hint` says what to do about it, or is empty.
    `detail` holds further lines (a log's end, a command's own words), shown below the message.
    """

    id: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return self.message


class Bug(SkerryError):
    """Something went wrong that nobody thought of: a fault of Skerry itself. Report it."""

    id = "bug"
    exit_code = ExitCode.BUG


class MachineRefuses(SkerryError):
    """The operator's machine refuses something: a disk is full, a file may not be read."""

    id = "machine"
    exit_code = ExitCode.BUG


class UsageError(SkerryError):
    """The command line asks for what cannot be."""

    id = "usage"


class CloudInvalid(SkerryError):
    """The cloud folder has errors; `problems` holds all of them."""

    id = "cloud-invalid"

    def __init__(self, problems: list[Problem], *, hint: str = "") -> None:
        count = len(problems)
        super().__init__(f"{count} error{'s' if count != 1 else ''} in the cloud folder", hint=hint)
        self.problems = problems


class Problem:
    """One error at one place: what is shown as ``file:line:column: message``.

    `line` and `column` count from 1; both are 0 where a problem concerns a whole file.
    """

    __slots__ = ("column", "file", "hint", "line", "message")

    def __init__(self, file: str, line: int, column: int, message: str, *, hint: str = "") -> None:
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        tail = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.message}{tail}"

    def __repr__(self) -> str:
        return f"Problem({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class CommandFailed(SkerryError):
    """A program on the operator's machine ended with an error."""

    id = "command-failed"
    exit_code = ExitCode.BUG


class CommandMissing(SkerryError):
    """A program that is needed is not installed on the operator's machine."""

    id = "command-missing"


class SshConfigInvalid(SkerryError):
    """The system's ssh does not take its configuration: no node can be reached."""

    id = "ssh-config"


class ImageFailed(SkerryError):
    """An image cannot be built or read on the operator's machine."""

    id = "image"


class SecretUnreadable(SkerryError):
    """A value of secrets.yaml cannot be decrypted, or its command does not print it."""

    id = "secret-unreadable"


class NodeError(SkerryError):
    """Something is wrong with one node; the others go on."""

    id = "node-failed"
    exit_code = ExitCode.NODE_FAILED

    def __init__(self, node: str, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.node = node


class NodeUnreachable(NodeError):
    """No SSH connection to the node within its deadline."""

    id = "node-unreachable"


class HostKeyMismatch(NodeError):
    """The host shows another key than the one that is pinned."""

    id = "host-key-mismatch"


class AccessRefused(NodeError):
    """The host accepts neither our keys nor the password."""

    id = "access-refused"


class NodeUnsupported(NodeError):
    """The node's system is not one that Skerry supports; nothing was changed."""

    id = "node-unsupported"


class NodeProgramFailed(NodeError):
    """The node program reported an error of its own; `reason` is its id (``disk-full``, ...)."""

    id = "node-program"
    reason: str = ""


class NodeAnswerInvalid(NodeError):
    """The node answers what the node program never does: it is broken, or lies."""

    id = "node-answer-invalid"


class ActivationFailed(NodeError):
    """A generation did not become healthy; the node is back on its old generation."""

    id = "activation-failed"


class NodeLocked(NodeError):
    """Another operator is at work on the node."""

    id = "locked"
    exit_code = ExitCode.LOCKED


class LabError(SkerryError):
    """The lab on this machine cannot do what was asked."""

    id = "lab"
