"""The time per phase: all that a person waits for is in one of them."""

from __future__ import annotations

import pytest

from skerry.cli import flow
from skerry.cli.flow import Phases
from skerry.cli.start import Start


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_phases_follow_each_other_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(flow, "time", clock)
    start = Start(["apply"])
    start.started = 99.5
    phases = Phases(start)
    for name, before, taken in (("load", 0.25, 1.0), ("observe", 0.5, 2.0)):
        clock.now += before
        with phases.phase(name):
            clock.now += taken
    clock.now += 60.0
    phases.leave_out()
    with phases.phase("observe"):
        clock.now += 4.0
    assert phases.seconds == {"load": 1.75, "observe": 6.5}
    assert phases.total() == sum(phases.seconds.values()) + 60.0


def test_without_a_start_of_the_process_they_begin_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(flow, "time", clock)
    phases = Phases(None)
    with phases.phase("load"):
        clock.now += 1.0
    assert phases.seconds == {"load": 1.0}
