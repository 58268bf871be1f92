"""What each kind of workload must keep: selectors, restart policies, and what `run:` may say.

Sources: Kubernetes API reference, apps/v1 and batch/v1; its validation of these kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skerry.errors import Problem
from skerry.load.checks.cronjob import check_cron_job
from skerry.load.checks.job import check_job
from skerry.load.checks.names import check_doubles
from skerry.load.checks.rolling import check_rolling
from skerry.model.cloud import Placement, WorkloadManifest
from skerry.model.cronjob import CronJob
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.job import Job
from skerry.model.selector import LabelSelector, LabelSelectorRequirement
from skerry.model.statefulset import StatefulSet

# A host name's part (RFC 1123), which the name of a pod with its number becomes.
_NAME_LIMIT = 63


def check_kind(manifest: WorkloadManifest) -> Iterator[Problem]:
    """The problems of a manifest that come from its kind."""
    if isinstance(manifest, Deployment | DaemonSet | StatefulSet):
        yield from _check_template(manifest)
        yield from check_rolling(manifest)
    if isinstance(manifest, StatefulSet):
        yield from _check_stateful_set(manifest)
    elif isinstance(manifest, Job):
        yield from check_job(manifest.spec, "Job")
    elif isinstance(manifest, CronJob):
        yield from check_cron_job(manifest)


def check_placement(
    name: str, placement: Placement, manifest: WorkloadManifest
) -> Iterator[Problem]:
    """What a line of `run:` says that its manifest's kind leaves no room for."""
    origin = placement.origin
    if isinstance(manifest, DaemonSet):
        if placement.replicas is not None:
            yield origin.of("replicas").problem(
                f"{name!r} is a DaemonSet: it runs once on every node that fits, "
                "and has no `replicas`",
                hint="leave it out; `nodes` says which nodes",
            )
        if placement.spread is not None:
            yield origin.of("spread").problem(
                f"{name!r} is a DaemonSet: there is nothing to spread over nodes that all run it",
                hint="leave it out",
            )
    if isinstance(manifest, Job | CronJob) and placement.replicas is not None:
        kind = manifest.kind
        yield origin.of("replicas").problem(
            f"{name!r} is a {kind}: it has no `replicas`",
            hint="`completions` and `parallelism` in the manifest say how many pods it runs",
        )
    if isinstance(manifest, CronJob) and placement.spread is not None:
        yield origin.of("spread").problem(
            f"{name!r} is a CronJob: its jobs run on the one node that has its timer",
            hint="leave it out",
        )
    if isinstance(manifest, StatefulSet):
        count = manifest.spec.replicas if placement.replicas is None else placement.replicas
        last = f"{name}-{manifest.spec.ordinals.start + max(count, 1) - 1}"
        yield from _check_length(last, placement, manifest)
    elif isinstance(manifest, Job) and manifest.spec.completion_mode == "Indexed":
        last = f"{name}-{(manifest.spec.completions or 1) - 1}"
        yield from _check_length(last, placement, manifest)


def _check_length(
    last: str, placement: Placement, manifest: StatefulSet | Job
) -> Iterator[Problem]:
    if len(last) > _NAME_LIMIT:
        yield placement.origin.problem(
            f"{last!r} would be the host name of a pod of this {manifest.kind}: it is longer than "
            f"{_NAME_LIMIT} characters",
            hint="give the placement a shorter name",
        )


def _check_template(manifest: Deployment | DaemonSet | StatefulSet) -> Iterator[Problem]:
    template = manifest.spec.template
    yield from check_selector(manifest.spec.selector, template.metadata.labels)
    if template.spec.restart_policy != "Always":
        yield template.spec.origin.of("restartPolicy").problem(
            f"the pods of a {manifest.kind} have restartPolicy Always, "
            f"not {template.spec.restart_policy}"
        )
    if template.spec.active_deadline_seconds is not None:
        yield template.spec.origin.of("activeDeadlineSeconds").problem(
            f"the pods of a {manifest.kind} run for ever: they have no activeDeadlineSeconds",
            hint="that is for a Pod or a Job",
        )


def check_selector(selector: LabelSelector, labels: Mapping[str, str]) -> Iterator[Problem]:
    """Whether a selector says something, and means the pods with these labels."""
    if not selector.match_labels and not selector.match_expressions:
        yield selector.origin.problem("`matchLabels` must have at least one label")
    for key, value in selector.match_labels.items():
        actual = labels.get(key)
        if actual != value:
            yield selector.origin.of(f"matchLabels[{key}]").problem(
                f"the selector wants {key}: {value}, but the pod template {_has(key, actual)}"
            )
    for requirement in selector.match_expressions:
        fault = _requirement_fault(requirement)
        if fault:
            yield requirement.origin.of("values").problem(fault)
        elif not is_met(requirement, labels):
            values = ", ".join(requirement.values)
            wanted = f"{requirement.key} {requirement.operator}" + (f" [{values}]" * bool(values))
            actual = labels.get(requirement.key)
            yield requirement.origin.problem(
                f"the selector wants {wanted}, but the pod template {_has(requirement.key, actual)}"
            )


def is_met(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    """Whether labels are as a requirement asks. `NotIn` is met without the label too."""
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    return (value is not None) == (requirement.operator == "Exists")


def _requirement_fault(requirement: LabelSelectorRequirement) -> str:
    needs_values = requirement.operator in ("In", "NotIn")
    if needs_values and not requirement.values:
        return f"the operator {requirement.operator} needs at least one of `values`"
    if not needs_values and requirement.values:
        return f"the operator {requirement.operator} has no `values`"
    return ""


def _has(key: str, value: str | None) -> str:
    return f"has {key}: {value}" if value is not None else f"has no label {key!r}"


class _Named:
    """A claim template under the name that its volume has in the pod."""

    def __init__(self, template: object) -> None:
        self.name = template.metadata.name  # type: ignore[attr-defined]
        self.origin = template.metadata.origin  # type: ignore[attr-defined]


def _check_stateful_set(manifest: StatefulSet) -> Iterator[Problem]:
    templates = manifest.spec.volume_claim_templates
    yield from check_doubles("claim template", map(_Named, templates))
    pod = manifest.spec.template.spec
    volumes = {volume.name: volume for volume in pod.volumes}
    mounted = {mount.name for one in pod.all_containers for mount in one.volume_mounts}
    for template in templates:
        name = template.metadata.name
        if name in volumes:
            # Kubernetes lets the claim win; nobody means that.
            yield template.metadata.origin.of("name").problem(
                f"the claim template {name!r} has the name of one of the pod's volumes, "
                f"in line {volumes[name].origin.line}"
            )
        elif name not in mounted:
            yield template.metadata.origin.of("name").problem(
                f"the claim template {name!r} is mounted by no container",
                hint=f"volumeMounts: [{{name: {name}, mountPath: ...}}]",
            )
