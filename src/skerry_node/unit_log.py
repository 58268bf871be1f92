"""The end of a unit's log: what its program and systemd say, without Podman's bookkeeping."""

from __future__ import annotations

from skerry_node.fault import NodeFault
from skerry_node.quick_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from skerry_node.host import Host

_FIELDS = "MESSAGE,_COMM,PODMAN_EVENT,CONTAINER_ID_FULL"
_ID_DIGITS, _HEXADECIMAL = 64, "0123456789abcdef"
# Of each start some ten lines are left out: enough are asked for that the wanted ones are there.
_ASKED_PER_LINE = 20
# A program may print lines of any length: no more is read than this, and of a line no more kept.
_TAIL = 1 << 20
_LINE_LIMIT = 2000


def read_log(host: Host, unit: str, lines: int) -> List[str]:
    """The last lines of a unit's log."""
    words = ["journalctl", "--quiet", "--no-pager", "--all", "--output=json"]
    words += ["--output-fields=" + _FIELDS, "--lines=%d" % (lines * _ASKED_PER_LINE)]
    try:
        text = host.commands.run(*words, "--unit=" + unit, tail=_TAIL).stdout
    except NodeFault as fault:
        return ["(no log: %s)" % fault.message]
    found: List[str] = []
    for line in text.splitlines():
        entry = _try_parse(line)
        if entry is not None and not is_bookkeeping(entry):
            # conmon leaves the newline on what a container prints.
            said = [_shortened(part) for part in message_of(entry).splitlines() if part]
            found = [*found, *said][-lines:]
    return found


def _try_parse(line: bytes) -> Optional[Dict[str, Any]]:
    """An entry; None for the end of one whose beginning was not read."""
    try:
        entry: Dict[str, Any] = loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _shortened(line: str) -> str:
    if len(line) <= _LINE_LIMIT:
        return line
    return "%s... (%d characters)" % (line[:_LINE_LIMIT], len(line))


def is_bookkeeping(entry: Dict[str, Any]) -> bool:
    """Whether Podman tells of its own doings: events, the ids it prints, conmon's warnings.

    `entry` is as ``journalctl --output=json`` prints it. What a container prints comes by way of
    conmon, with the container's id.
    """
    if "PODMAN_EVENT" in entry:
        return True
    program = entry.get("_COMM")
    if program == "conmon":
        return "CONTAINER_ID_FULL" not in entry
    message = message_of(entry)
    return program == "podman" and len(message) == _ID_DIGITS and not message.strip(_HEXADECIMAL)


def message_of(entry: Dict[str, Any]) -> str:
    """What was said; journald gives bytes that are no text as a list of numbers."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        return bytes(message).decode("utf-8", "replace")
    return message if isinstance(message, str) else ""


def sync_log(host: Host) -> None:
    """Waits until the journal has written what it was told so far."""
    try:
        host.commands.run("journalctl", "--sync", deadline=5.0)
    except NodeFault:
        # Lines may be missing at the end; that is all.
        return
