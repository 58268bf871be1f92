"""The CPU that something takes: what else runs on the machine adds little to it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def least_cpu(work: Callable[[], object], *, times: int = 2) -> float:
    """The least seconds of CPU that `work` took of so many times, at least a millisecond."""
    found = []
    for _ in range(times):
        gc.collect()
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return max(min(found), 0.001)
