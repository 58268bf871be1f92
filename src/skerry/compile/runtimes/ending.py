"""Pods that end: by themselves (restartPolicy), or because their time is over.

A pod with a unit of its own ends as a whole once the last of its containers has ended for good:
then its sidecars and its network go too. activeDeadlineSeconds counts from the pod's first start,
restarts and reboots included; a transient timer waits for the rest of it.

Sources: Kubernetes "Pod Lifecycle", PodSpec v1 core.
"""

from __future__ import annotations

from collections.abc import Iterable

from skerry.compile.runtimes.completion import COMPLETED_FOLDER, Completion, compile_completion
from skerry.compile.runtimes.probe_program import PROGRAM_PATH
from skerry.compile.runtimes.quadlet import Section
from skerry.compile.runtimes.shape import container_name, is_grouped, pod_unit
from skerry.compile.runtimes.sources import Instance
from skerry.model.container import Container


def ends(instance: Instance) -> bool:
    """Whether the pod can end for good; a job says itself what the end of its pods means."""
    spec = instance.workload.spec
    can_end = spec.restart_policy != "Always" or spec.active_deadline_seconds is not None
    return can_end and not instance.is_run


def compile_ending(
    instance: Instance, container: Container, content: Iterable[bytes]
) -> Completion:
    """What lets a container of the pod, which is made from `content`, end for good."""
    spec = instance.workload.spec
    if not ends(instance) or container in spec.init_containers:
        return Completion("", [], [])
    name = container_name(instance, container)
    when = {"OnFailure": "success", "Never": "any end"}.get(spec.restart_policy, "never")
    completion = compile_completion(name, content, when=when)  # type: ignore[arg-type]
    if is_grouped(spec) and when != "never":
        words = ("finish", name, pod_unit(instance), pod_stamp(instance))
        stamps = " ".join(stamp_pattern(instance, one) for one in spec.containers)
        completion.service.append(
            ("ExecStop", f"-/bin/sh {PROGRAM_PATH} {' '.join(words)} {stamps}")
        )
    return completion


def pod_stamp(instance: Instance) -> str:
    """The stamp of the pod's own unit, "" where the pod has none or does not end."""
    spec = instance.workload.spec
    return f"{COMPLETED_FOLDER}/{instance.name}-pod" if is_grouped(spec) and ends(instance) else ""


def stamp_pattern(instance: Instance, container: Container) -> str:
    """The container's stamp whatever its digest is; the program puts the name in."""
    return f"{COMPLETED_FOLDER}/{container_name(instance, container)}@"


def compile_expiry(instance: Instance, stamps: Iterable[str]) -> Section:
    """Lines for the [Service] section of the pod's unit: its time begins, or goes on."""
    seconds = instance.workload.spec.active_deadline_seconds
    if seconds is None:
        return []
    # Without stamps it begins anew with each start: a job's next try is another pod.
    kept = [pod_stamp(instance), *stamps] if ends(instance) else []
    words = [instance.name, pod_unit(instance), str(seconds), *filter(None, kept)]
    return [("ExecStartPost", f"/bin/sh {PROGRAM_PATH} arm {' '.join(words)}")]
