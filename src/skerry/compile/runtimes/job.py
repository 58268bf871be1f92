"""Jobs: pods that run to their end once, one after the other in lanes, tried again where they fail.

The pods are those of any workload. A drop-in for their units says when they may begin and what
their end means; the rest is in `job_script`, on the node. Lane L of a job runs the pods L,
L + lanes and so on.

Sources: Kubernetes "Jobs", "Pod backoff failure policy"; systemd.service(5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from skerry.compile.runtimes.completion import COMPLETED_FOLDER
from skerry.compile.runtimes.job_script import JOB_SCRIPT, SCRIPT_PATH
from skerry.compile.runtimes.pod import emit_pod
from skerry.compile.runtimes.quadlet import Section, render_unit
from skerry.compile.runtimes.sources import Emitted, Instance, OwnedFile, Sources
from skerry.compile.runtimes.storage import VOLUME_FOLDER
from skerry.compile.tree import File, Unit
from skerry.errors import Problem
from skerry.model.cloud import Workload, pod_of
from skerry.model.container import EnvVar
from skerry.model.cronjob import CronJob
from skerry.model.job import Job, JobSpec
from skerry.model.pod import PodTemplate

UNIT_FOLDER = "/etc/systemd/system"
# Kubernetes waits 10 s, 20 s and so on, at most 6 minutes, before it tries again. Each of
# systemd's five steps from the one to the other makes it 2.05 times as long.
_BACKOFF: Section = [("RestartSec", "10"), ("RestartSteps", "5"), ("RestartMaxDelaySec", "360")]
_replace = msgspec.structs.replace


def job_spec_of(workload: Workload) -> JobSpec:
    """The spec of a Job, or of the jobs that a CronJob makes."""
    manifest = workload.manifest
    assert isinstance(manifest, Job | CronJob)
    return manifest.spec if isinstance(manifest, Job) else manifest.spec.job_template.spec


def completions_of(spec: JobSpec) -> int:
    """How many pods of a job must end with success."""
    return spec.completions or 1


def lanes_of(spec: JobSpec) -> int:
    """How many pods of a job run at a time."""
    return min(spec.parallelism, completions_of(spec))


def emit_job(instance: Instance, sources: Sources, problems: list[Problem]) -> Emitted:
    """The pods of one lane of a Job: the lane's number is the instance's ordinal."""
    workload = instance.workload
    spec = job_spec_of(workload)
    emitted = Emitted({}, {}, {}, {})
    digest = content_digest(instance, sources)
    base = f"{VOLUME_FOLDER}/skerry-{workload.name}.job"
    for pod in range(instance.ordinal, completions_of(spec), max(lanes_of(spec), 1)):
        is_head = pod == instance.ordinal and not spec.suspend
        add_pod(
            emitted,
            _replace(instance, ordinal=pod),
            sources,
            problems,
            stamp=f"{COMPLETED_FOLDER}/skerry-{workload.name}.{pod}@{digest}",
            role="job" if is_head else "cron",
            volumes=(base,) if pod == instance.ordinal else (),
        )
    add_script(emitted, workload, base, digest, {"suspended": str(int(spec.suspend))})
    return emitted


def add_pod(
    emitted: Emitted,
    instance: Instance,
    sources: Sources,
    problems: list[Problem],
    *,
    stamp: str,
    role: str,
    volumes: tuple[str, ...],
) -> None:
    """Adds one pod of a job, with the drop-ins that call the script.

    `stamp` is the file that says how it ended; `volumes` go with the pod when its workload does.
    """
    workload = instance.workload
    spec = job_spec_of(workload)
    index = instance.ordinal % completions_of(spec)
    named = _replace(instance, workload=run_workload(workload, index), is_run=True)
    pod = emit_pod(named, sources, problems)
    emitted.files.update(pod.files)
    emitted.images.update(pod.images)
    emitted.secrets.update(pod.secrets)
    first = first_unit(named, pod)
    mains = {one.name for one in named.workload.spec.containers}
    for name, unit in pod.units.items():
        lines: Section = []
        if name == first:
            lines.append(("ExecCondition", _call("begin", workload, instance.ordinal)))
        is_main = unit.container in mains
        if is_main:
            is_alone = name == first
            container = "" if is_alone else unit.container
            lines += _restart_lines(named, is_alone=is_alone)
            lines.append(("ExecStopPost", _call("ended", workload, instance.ordinal, container)))
        elif unit.role == "init":
            # Its failures count; its success does not end anything.
            lines.append(
                ("ExecStopPost", _call("ended", workload, instance.ordinal, unit.container))
            )
        files = unit.files
        if lines:
            path = f"{UNIT_FOLDER}/{name}.d/job.conf"
            emitted.files[path] = _unit_file(workload, [("Service", lines)])
            files = (*files, path)
        emitted.units[name] = _replace(
            unit,
            files=files,
            completes=True,
            completed=stamp,
            replica=index_of_row(workload, unit),
            role=role if is_main or role == "cron" else unit.role,
            volumes=(*unit.volumes, *(volumes if name == first else ())),
        )


def index_of_row(workload: Workload, unit: Unit) -> int:
    """The number under which people see a pod: the places of a cron job are one to them."""
    return 0 if isinstance(workload.manifest, CronJob) else unit.replica


def first_unit(instance: Instance, pod: Emitted) -> str:
    """The unit that starts the whole pod: its own, or that of its one container."""
    own = f"{instance.name}-pod.service"
    return own if own in pod.units else f"{instance.name}.service"


def _restart_lines(instance: Instance, *, is_alone: bool) -> Section:
    if instance.workload.spec.restart_policy == "Never" and not is_alone:
        # The whole pod is made anew: the script sees to that.
        return [("Restart", "no")]
    return [("Restart", "on-failure"), *_BACKOFF]


def add_script(
    emitted: Emitted, workload: Workload, base: str, digest: str, more: Mapping[str, str]
) -> None:
    """Adds the script and what it must know of this workload, as assignments of the shell."""
    spec = job_spec_of(workload)
    pod = pod_of(workload.manifest)[1]
    has_pod = any(name.endswith("-pod.service") for name in emitted.units)
    known = {
        "kind": workload.manifest.kind,
        "prefix": f"skerry-{workload.name}",
        "suffix": "-pod" if has_pod else "",
        "containers": " ".join(one.name for one in pod.containers) if has_pod else "",
        "base": base,
        "volumes": VOLUME_FOLDER,
        "stamps": COMPLETED_FOLDER,
        "digest": digest,
        "completions": str(completions_of(spec)),
        "lanes": str(max(lanes_of(spec), 1)),
        "policy": pod.restart_policy,
        "backoff": str(spec.backoff_limit),
        "deadline": _number(spec.active_deadline_seconds),
        "ttl": _number(spec.ttl_seconds_after_finished),
        **more,
    }
    text = "".join(f"{name}='{value}'\n" for name, value in known.items())
    owner = f"{workload.manifest.kind} {workload.name}"
    emitted.files[f"/etc/skerry/jobs/{workload.name}.conf"] = OwnedFile(File(text.encode()), owner)
    emitted.files[SCRIPT_PATH] = OwnedFile(File(JOB_SCRIPT.encode()), "the jobs")


def run_workload(workload: Workload, index: int) -> Workload:
    """The workload as the pod with this index sees it, where the job is Indexed."""
    spec = job_spec_of(workload)
    if spec.completion_mode != "Indexed":
        return workload
    number = str(index)
    template = spec.template
    variable = EnvVar(name="JOB_COMPLETION_INDEX", value=number)
    pod = _replace(
        template.spec,
        hostname=f"{workload.name}-{index}",
        containers=tuple(
            _replace(one, env=(variable, *one.env)) for one in template.spec.containers
        ),
        init_containers=tuple(
            _replace(one, env=(variable, *one.env)) for one in template.spec.init_containers
        ),
    )
    key = "batch.kubernetes.io/job-completion-index"
    metadata = _replace(
        template.metadata,
        labels={**template.metadata.labels, key: number},
        annotations={**template.metadata.annotations, key: number},
    )
    return _with_template(workload, _replace(template, metadata=metadata, spec=pod))


def _with_template(workload: Workload, template: PodTemplate) -> Workload:
    manifest = workload.manifest
    if isinstance(manifest, CronJob):
        job = manifest.spec.job_template
        own = _replace(job, spec=_replace(job.spec, template=template))
        cron = _replace(manifest.spec, job_template=own)
        return _replace(workload, manifest=_replace(manifest, spec=cron))
    assert isinstance(manifest, Job)
    own_spec = _replace(manifest.spec, template=template)
    return _replace(workload, manifest=_replace(manifest, spec=own_spec))


def content_digest(instance: Instance, sources: Sources) -> str:
    """What a job is made from, in 16 digits: when it differs, the job is another one.

    Manifest, images, ConfigMaps and secrets count, and not the text of the units: a later Skerry
    may write that differently, which is no reason to run a job again.
    """
    workload = instance.workload
    run = _replace(instance, workload=run_workload(workload, 0), ordinal=0, is_run=True)
    secrets = sorted(emit_pod(run, sources, []).secrets)
    metadata, spec = pod_of(workload.manifest)
    shown = [_without_origins(msgspec.to_builtins(one)) for one in (metadata, spec)]
    images = [
        sources.images[one.image].id for one in spec.all_containers if one.image in sources.images
    ]
    config = {
        name: [sources.config_maps[name].data, sources.config_maps[name].binary_data]
        for name in sorted(set(_named_config_maps(shown)))
        if name in sources.config_maps
    }
    text = msgspec.json.encode([shown, images, config, secrets], order="deterministic")
    return hashlib.sha256(text).hexdigest()[:16]


def _without_origins(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_origins(one) for key, one in value.items() if key != "origin"}
    return [_without_origins(one) for one in value] if isinstance(value, list) else value


def _named_config_maps(value: Any) -> Iterator[str]:
    """The names under every ``configMap``, ``configMapRef`` and ``configMapKeyRef``."""
    if isinstance(value, list):
        for one in value:
            yield from _named_config_maps(one)
    if isinstance(value, dict):
        for key, one in value.items():
            if key.startswith("configMap") and isinstance(one, dict) and "name" in one:
                yield one["name"]
            yield from _named_config_maps(one)


def _call(what: str, workload: Workload, pod: int, container: str = "") -> str:
    words = ("/bin/sh", SCRIPT_PATH, what, workload.name, str(pod), container)
    return " ".join(words).rstrip()


def _unit_file(workload: Workload, sections: list[tuple[str, Section]]) -> OwnedFile:
    comment = f"Written by skerry, workload {workload.name}."
    return OwnedFile(File(render_unit(sections, comment=comment)), f"workload {workload.name}")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
