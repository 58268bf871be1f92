"""One manifest in itself, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.checks.config import check_config_map
from skerry.load.checks.pod import check_pod_spec
from skerry.model.cloud import WorkloadManifest, pod_of
from skerry.model.configmap import ConfigMap
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.kinds import WORKLOAD_KINDS, Shared
from skerry.model.metadata import Metadata
from skerry.model.statefulset import StatefulSet

_WORKLOADS = tuple(WORKLOAD_KINDS.values())


def check_manifest(manifest: WorkloadManifest | Shared) -> list[Problem]:
    """The problems of a manifest in itself."""
    problems = list(_check_metadata(manifest.metadata))
    if isinstance(manifest, ConfigMap):
        problems += check_config_map(manifest)
    elif isinstance(manifest, Deployment | DaemonSet | StatefulSet):
        problems += _check_template(manifest)
    if isinstance(manifest, _WORKLOADS):
        problems += check_pod_spec(pod_of(manifest)[1])
    return problems


def _check_metadata(metadata: Metadata) -> Iterator[Problem]:
    if metadata.namespace != "default":
        yield metadata.origin.of("namespace").problem(
            f"there are no namespaces here: {metadata.namespace!r} must be left out",
            hint="a cloud of its own is what a namespace would be",
        )


def _check_template(
    manifest: Deployment | DaemonSet | StatefulSet,
) -> Iterator[Problem]:
    selector = manifest.spec.selector
    template = manifest.spec.template
    if not selector.match_labels and not selector.match_expressions:
        yield selector.origin.problem("`matchLabels` must have at least one label")
    for key, value in selector.match_labels.items():
        actual = template.metadata.labels.get(key)
        if actual != value:
            has = f"has {key}: {actual}" if actual is not None else f"has no label {key!r}"
            yield selector.origin.of(f"matchLabels[{key}]").problem(
                f"the selector wants {key}: {value}, but the pod template {has}"
            )
    if template.spec.restart_policy != "Always":
        yield template.spec.origin.of("restartPolicy").problem(
            f"the pods of a {manifest.kind} have restartPolicy Always, "
            f"not {template.spec.restart_policy}"
        )
