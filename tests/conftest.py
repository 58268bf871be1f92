"""For all tests: how hypothesis runs on a busy machine, and in CI."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Examples share two cores with lab nodes that boot: how long one takes says nothing. In CI the
# examples are the same in every run; new ones are tried wherever people work.
settings.register_profile(
    "skerry",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("skerry")


@pytest.fixture(autouse=True)
def _hangup() -> Iterator[None]:
    """The node program ignores hang-ups; where it ran in the test's own process, that process and
    whatever it starts would go on doing so."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)
