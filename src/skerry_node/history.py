"""The ops ``history`` and ``generation``: what was there before."""

from __future__ import annotations

from skerry_node.fault import NodeFault
from skerry_node.host import Host
from skerry_node.journal import try_read_journal
from skerry_node.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from skerry_node.host import Emit


def run_history(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """All generations that the node keeps, the newest first, and which is the ``current`` one."""
    host = host or Host()
    store, entry = Store(host), try_read_journal(host)
    switching = int(entry["number"]) if entry is not None else 0
    return {
        "current": store.current_number(),
        "generations": store.history(switching=switching),
    }


def run_generation(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """One generation by ``number``: ``generation``, its ``manifest``, and what somebody had
    edited on the node before it (``displaced``: path -> digest, mode, owner)."""
    store, number = Store(host or Host()), int(args["number"])
    found = [entry for entry in store.history() if entry["number"] == number]
    if not found:
        kept = ", ".join(map(str, store.numbers())) or "none"
        raise NodeFault(
            "no-such-generation",
            "there is no generation %d on the node (kept: %s)" % (number, kept),
            "`skerry history` lists them",
        )
    return {
        "generation": found[0],
        "manifest": store.manifest(number),
        "displaced": store.record(number).get("displaced", {}),
    }
