"""The one place that knows which emitter makes the units of which kind."""

from __future__ import annotations

from skerry.compile.runtimes.cron import emit_cron_job
from skerry.compile.runtimes.job import emit_job
from skerry.compile.runtimes.pod import emit_pod
from skerry.compile.runtimes.sources import Emitted, Instance, Sources
from skerry.compile.runtimes.stateful import add_order
from skerry.errors import Problem
from skerry.model.cloud import Workload
from skerry.model.cronjob import CronJob
from skerry.model.job import Job
from skerry.model.statefulset import StatefulSet


def emit_kind(instance: Instance, sources: Sources, problems: list[Problem]) -> Emitted:
    """What a replica of a workload adds to its node. What is wrong goes to `problems`."""
    manifest = instance.workload.manifest
    if isinstance(manifest, Job):
        return emit_job(instance, sources, problems)
    if isinstance(manifest, CronJob):
        return emit_cron_job(instance, sources, problems)
    emitted = emit_pod(instance, sources, problems)
    if isinstance(manifest, StatefulSet):
        add_order(instance, emitted)
    return emitted


def needed_for_kind(workload: Workload) -> int:
    """The version of systemd that the kind needs, 0 for any: ``ExecCondition=`` came with 243, and
    ``systemd-analyze calendar --base-time`` with 244."""
    return 244 if isinstance(workload.manifest, Job | CronJob) else 0
