"""Cron jobs: a timer that has the script start a job, at a place that is free.

Jobs of one cron job overlap only with concurrencyPolicy Allow; then there are places for several,
each with pods of its own. What remembers the last run is systemd's own stamp of the timer
(``Persistent=``): what was missed while the node was off is run once.

Sources: Kubernetes "CronJob"; systemd.timer(5).
"""

from __future__ import annotations

import msgspec

from skerry.compile.runtimes.confinement import CARRIER
from skerry.compile.runtimes.job import (
    UNIT_FOLDER,
    add_pod,
    add_script,
    completions_of,
    content_digest,
    job_spec_of,
    lanes_of,
)
from skerry.compile.runtimes.job_script import SCRIPT_PATH
from skerry.compile.runtimes.quadlet import Section, render_unit
from skerry.compile.runtimes.sources import Emitted, Instance, OwnedFile, Sources
from skerry.compile.runtimes.storage import VOLUME_FOLDER
from skerry.compile.schedule import compile_calendar
from skerry.compile.tree import File, Unit
from skerry.errors import Problem
from skerry.model.cloud import Workload
from skerry.model.cronjob import CronJob
from skerry.model.schedule import parse_schedule

# How many jobs of one cron job can run at a time with concurrencyPolicy Allow.
PLACES = 4


def emit_cron_job(instance: Instance, sources: Sources, problems: list[Problem]) -> Emitted:
    """The timer, what it starts, and the pods of all places."""
    workload = instance.workload
    manifest = workload.manifest
    assert isinstance(manifest, CronJob)
    spec, job = manifest.spec, job_spec_of(workload)
    emitted = Emitted({}, {}, {}, {})
    base = f"{VOLUME_FOLDER}/skerry-{workload.name}.cron"
    places = PLACES if spec.concurrency_policy == "Allow" else 1
    pods = completions_of(job)
    for pod in range(places * pods):
        add_pod(
            emitted,
            msgspec.structs.replace(instance, ordinal=pod),
            sources,
            problems,
            stamp=f"{base}/{pod // pods}/{pod}.end",
            role="cron",
            volumes=(base,),
        )
    calendar = compile_calendar(parse_schedule(spec.schedule), spec.time_zone or "UTC")
    is_off = job.suspend or lanes_of(job) == 0
    known = {
        "suspended": str(int(is_off)),
        "concurrency": spec.concurrency_policy,
        "places": str(places),
        "starting": _number(spec.starting_deadline_seconds),
        "kept_successes": str(spec.successful_jobs_history_limit),
        "kept_failures": str(spec.failed_jobs_history_limit),
        "calendar": "\n".join(calendar),
    }
    add_script(emitted, workload, base, content_digest(instance, sources), known)
    _add_service(emitted, workload)
    if not spec.suspend and not is_off:
        _add_timer(emitted, workload, calendar, f"{base}/runs")
    return emitted


def _add_service(emitted: Emitted, workload: Workload) -> None:
    name, pods = f"skerry-{workload.name}.cron.service", list(emitted.units)
    sections: list[tuple[str, Section]] = [
        (
            "Unit",
            [
                ("Description", f"Skerry cron job {workload.name} is begun"),
                # At boot the pods ask whether one of them was cut off. A job that is begun in the
                # same moment would be taken for that question and lost.
                ("After", " ".join(pods)),
            ],
        ),
        (
            "Service",
            [
                ("Type", "oneshot"),
                ("ExecStart", f"/bin/sh {SCRIPT_PATH} fire {workload.name}"),
                *CARRIER,
            ],
        ),
    ]
    path = f"{UNIT_FOLDER}/{name}"
    emitted.files[path] = _file(workload, sections)
    emitted.units[name] = Unit(
        files=(path,), workload=workload.name, replica=0, role="cron", completes=True
    )


def _add_timer(emitted: Emitted, workload: Workload, calendar: list[str], records: str) -> None:
    name = f"skerry-{workload.name}.cron.timer"
    path = f"{UNIT_FOLDER}/{name}"
    sections: list[tuple[str, Section]] = [
        ("Unit", [("Description", f"Skerry cron job {workload.name}")]),
        (
            "Timer",
            [
                *(("OnCalendar", event) for event in calendar),
                ("Persistent", "true"),
                ("AccuracySec", "1s"),
            ],
        ),
    ]
    emitted.files[path] = _file(workload, sections)
    # What starts it at boot: a file of its own, as there are no links in a tree.
    wants = f"{UNIT_FOLDER}/timers.target.d/skerry-{workload.name}.conf"
    emitted.files[wants] = _file(workload, [("Unit", [("Wants", name)])])
    emitted.units[name] = Unit(
        files=(path, wants),
        workload=workload.name,
        replica=0,
        role="timer",
        settle=0.0,
        records=records,
    )


def _file(workload: Workload, sections: list[tuple[str, Section]]) -> OwnedFile:
    comment = f"Written by skerry, workload {workload.name}."
    return OwnedFile(File(render_unit(sections, comment=comment)), f"workload {workload.name}")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
