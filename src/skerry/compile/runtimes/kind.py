"""The one place that knows which emitter makes the units of which kind."""

from __future__ import annotations

from skerry.compile.runtimes.pod import emit_pod
from skerry.compile.runtimes.sources import Emitted, Instance, Sources
from skerry.errors import Problem
from skerry.model.statefulset import StatefulSet


def emit_kind(instance: Instance, sources: Sources, problems: list[Problem]) -> Emitted:
    """What a replica of a workload adds to its node. What is wrong goes to `problems`."""
    emitted = emit_pod(instance, sources, problems)
    if isinstance(instance.workload.manifest, StatefulSet):
        return emitted
    return emitted
