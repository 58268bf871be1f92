"""The journal: what a switch is about to do, on the disk before it does anything.

One file, ``journal``, is there from before the first change of a switch until the node is whole
again. Its phase says what a crash would leave to be done:

    switching   files and units may be anywhere between the two generations: go back
    healthy     the new generation works but nobody has confirmed it: go back
    undoing     going back has begun: go back
    confirmed   the operator has seen it and said yes: go on

`current` is moved only in the phase ``confirmed``. So whoever finds a journal knows what to do
from its phase alone: in the first three `current` still names the old generation, to which going
back leads; in the last all files and units are those of the new one already, and only the link,
the record and this file are left to write. All of these steps can be repeated.

`stage` is the one of the unit actions that was begun last (-1: none yet): those of later stages
were not touched, and going back leaves them alone. `began` is when, in seconds on the monotonic
clock of the boot `boot`.

The switch holds the file lock ``switching`` for as long as it lives. The kernel gives it back
whatever ends the process: a journal whose lock is free belongs to nobody.
"""

from __future__ import annotations

import time

from skerry_node.condition import remove_job_stamps
from skerry_node.durable import remove_durable, try_read_json, write_json
from skerry_node.fault import NodeFault
from skerry_node.host import FileLock
from skerry_node.store import ACTIVE, PENDING, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from skerry_node.host import Host

    Entry = Dict[str, Any]

SWITCHING = "switching"
HEALTHY = "healthy"
UNDOING = "undoing"
CONFIRMED = "confirmed"
_SHAPE: Dict[str, Any] = {"number": int, "base": int, "phase": str, "boot": str, "stage?": int}
_SHAPE.update({"began?": (int, float), "outcome?": str, "why?": str})


def guard(host: Host) -> FileLock:
    """The lock for whoever reads the lock file or the journal in order to change it."""
    return FileLock(host.state_path("guard")).acquire()


def try_hold_switch(host: Host, patience: float = 1.0) -> Optional[FileLock]:
    """The lock of a running switch, or None while another process has it.

    It is tried for `patience` seconds: somebody may be looking at it just now.
    """
    lock = FileLock(host.state_path("switching"))
    until = time.monotonic() + patience
    while not lock.try_acquire():
        if time.monotonic() > until:
            lock.close()
            return None
        time.sleep(0.005)
    return lock


def is_switch_running(host: Host) -> bool:
    """Whether the process of a switch is alive."""
    with FileLock(host.state_path("switching")) as lock:
        return not lock.is_free()


def try_read_journal(host: Host) -> Optional[Entry]:
    """The journal of a switch that has not ended; None if there is none.

    What a damaged one said follows from the newest generation: numbers are not given twice.
    Going back is right in all phases but the last, in which `current` has been moved.
    """
    try:
        entry: Optional[Entry] = try_read_json(host.state_path("journal"), _SHAPE)
        return entry
    except NodeFault:
        store = Store(host)
        number, current = max([0, *store.numbers()]), store.current_number()
        if not number or store.record(number).get("state", PENDING) != PENDING:
            return None
        phase = CONFIRMED if number == current else UNDOING
        return {"number": number, "base": current, "phase": phase, "boot": ""}


def write_journal(host: Host, entry: Entry) -> None:
    """Replaces the journal, durably."""
    write_json(host.state_path("journal"), entry)


def close_journal(host: Host) -> None:
    """Ends the switch: the node is whole."""
    remove_durable(host.state_path("journal"))


def try_move_journal(host: Host, number: int, before: str, after: str) -> bool:
    """Moves the journal from one phase to another; False if it is not in the first.

    Confirming and the end of waiting for it may come at the same moment: one of them moves.
    """
    with guard(host):
        entry = try_read_journal(host)
        if entry is None or entry["number"] != number or entry["phase"] != before:
            return False
        write_journal(host, dict(entry, phase=after))
        return True


def finish_confirmed(host: Host, number: int) -> None:
    """What is left to do for a confirmed generation; nothing if somebody else just did it."""
    with guard(host):
        entry = try_read_journal(host)
        if entry is None or entry["number"] != number or entry["phase"] != CONFIRMED:
            return
        store = Store(host)
        store.set_current(number)
        store.update_record(number, state=ACTIVE)
        before, after = store.manifest(int(entry["base"])), store.manifest(number)
        remove_job_stamps(host, before["units"], after["units"])
        close_journal(host)
