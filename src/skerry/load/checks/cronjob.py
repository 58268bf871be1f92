"""CronJobs in themselves: the schedule, the time zone, and the job that is made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from skerry.errors import Problem
from skerry.load.checks.job import check_job
from skerry.load.unknown import nearest
from skerry.model.cronjob import CronJob
from skerry.model.schedule import ScheduleFault, parse_schedule


def check_cron_job(manifest: CronJob) -> Iterator[Problem]:
    """The problems of a CronJob."""
    spec = manifest.spec
    try:
        parse_schedule(spec.schedule)
    except ScheduleFault as fault:
        yield spec.origin.of("schedule").problem(f"schedule: {fault}", hint=fault.hint)
    if spec.time_zone is not None and spec.time_zone not in _time_zones():
        near = nearest(spec.time_zone, _time_zones())
        hint = f"did you mean {near}?" if near else "a name of the IANA, as Europe/Berlin"
        if not _time_zones():
            hint = "this machine knows no time zones at all: install tzdata"
        yield spec.origin.of("timeZone").problem(
            f"there is no time zone {spec.time_zone!r}", hint=hint
        )
    yield from check_job(spec.job_template.spec, "CronJob")


@cache
def _time_zones() -> frozenset[str]:
    from zoneinfo import available_timezones

    # "localtime" differs from node to node; "Local" is Go's word for it.
    return frozenset(available_timezones()) - {"localtime", "Local"}
