"""What bootstrap and reset tell: steps, and all of a run together."""

from __future__ import annotations

from typing import Any

import msgspec

from skerry.bootstrap.probe import Host


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: `state` is ok, changed, would-change or skipped; `seconds` is how long it took."""

    step: str
    state: str
    detail: str
    seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found and done. `facts` are the new node's; None in a check."""

    node: str
    target: str
    host: Host
    fingerprints: tuple[str, ...]
    is_check: bool
    steps: tuple[Step, ...]
    facts: dict[str, Any] | None
    seconds: float

    @property
    def changed(self) -> list[Step]:
        """The steps that changed something, or would."""
        return [step for step in self.steps if step.state in ("changed", "would-change")]


class ResetReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed. `left` says in words what stays; `is_shut` that our key opens no more."""

    steps: tuple[Step, ...]
    left: tuple[str, ...]
    is_check: bool
    is_shut: bool


def step_of(event: dict[str, Any]) -> Step:
    """The step that an event of the node program tells of."""
    return Step(
        step=str(event.get("step")),
        state=str(event.get("state")),
        detail=str(event.get("detail")),
        seconds=float(event.get("seconds", 0.0)),
    )
