"""What cloud.lock keeps of a node's facts, and when it is worth changing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from skerry.compile.lock import NodeFacts

# The kernel's names of processors (uname -m) as images have them (Go's GOARCH).
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
LEAST_SYSTEM = 48 * 1000 * 1000
"""No system needs less: a bare Debian with sshd and a journal, in bytes."""
_DISK_STEP = 1000 * 1000 * 1000


def facts_to_keep(facts: Mapping[str, Any], old: NodeFacts | None) -> NodeFacts:
    """The node's facts for the lock: `old` itself while nothing has changed that matters.

    What the system needs is what is not available and not used by pods. It is measured once, and
    again only where the node has another memory: else the lock would change with every look.
    """
    machine = str(facts.get("architecture", ""))
    total = int(facts.get("memory_total", 0))
    used = total - int(facts.get("memory_available", 0)) - int(facts.get("memory_pods", 0))
    new = NodeFacts(
        memory=total,
        system=max(LEAST_SYSTEM, used),
        cpus=int(facts.get("cpus", 0)),
        address=str(facts.get("address", "")),
        disk=int(facts.get("disk_free", 0)) // _DISK_STEP * _DISK_STEP,
        architecture=ARCHITECTURES.get(machine, machine),
    )
    if old is None or not _is_close(old.memory, new.memory, share=0.01):
        return new
    kept = msgspec.structs.replace(new, memory=old.memory, system=old.system)
    if _is_close(old.disk, new.disk, share=0.1, least=_DISK_STEP):
        kept = msgspec.structs.replace(kept, disk=old.disk)
    return old if kept == old else kept


def _is_close(old: int, new: int, *, share: float, least: int = 0) -> bool:
    return abs(old - new) <= max(least, share * old)
