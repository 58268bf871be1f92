"""What cannot be where it should be, and is told instead of stopping everything else."""

from __future__ import annotations

from typing import Literal

import msgspec

HeldWhy = Literal["claim-lost", "claim-stays", "no-room", "by-name"]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Replicas of a workload that are not moved.

    "claim-lost": they do not run, for their volume is on `node`, which is away. "claim-stays":
    they go on running on `node`, though nothing shall, for their volume is there. "no-room": no
    other node may take them, and `reasons` says of each why not. "by-name": they are placed on
    `node` by its name, and it is away or cordoned.
    """

    workload: str
    count: int
    why: HeldWhy
    node: str = ""
    claims: tuple[str, ...] = ()
    away: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether they go on running where they are."""
        return self.why == "claim-stays"

    def describe(self) -> str:
        """What is held and what would help, in lines."""
        if self.why == "by-name":
            return (
                f"{self.workload} is placed on {self.node} by name, and {self.node} is "
                f"{self.away}: it runs nowhere else"
            )
        if self.why == "no-room":
            head = f"{self.workload}: no node takes {_replicas(self.count)} from {self.node}:"
            return "\n".join((head, *(f"  {reason}" for reason in self.reasons)))
        volumes = " and ".join(self.claims)
        if self.why == "claim-stays":
            return (
                f"{self.workload} stays on {self.node} ({self.away}): its volume {volumes} is "
                f"there\n  to start it elsewhere with an empty one: {_abandon(self.claims)}"
            )
        return (
            f"{self.workload} is not moved and does not run: its volume {volumes} is on "
            f"{self.node}, which is {self.away}\n"
            f"  bring {self.node} back; or restore the volume elsewhere; "
            f"or start it with an empty one: {_abandon(self.claims)}"
        )


def _abandon(claims: tuple[str, ...]) -> str:
    options = " ".join(f"--abandon-volume {claim}" for claim in claims)
    return f"skerry apply {options}"


def _replicas(count: int) -> str:
    return "its replica" if count == 1 else f"{count} replicas"
