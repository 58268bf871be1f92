"""For all tests: how hypothesis runs on a busy machine, and in CI."""

from __future__ import annotations

import os

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
