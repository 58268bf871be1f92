"""One manifest in itself, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.checks.config import check_config_map
from skerry.load.checks.kinds import check_kind
from skerry.load.checks.pod import check_pod_spec
from skerry.load.checks.secret import check_secret
from skerry.load.checks.service import check_service
from skerry.model.cloud import WorkloadManifest, claim_templates_of, pod_of
from skerry.model.configmap import ConfigMap
from skerry.model.kinds import WORKLOAD_KINDS, Shared
from skerry.model.metadata import Metadata
from skerry.model.secret import Secret
from skerry.model.service import Service

_WORKLOADS = tuple(WORKLOAD_KINDS.values())


def check_manifest(manifest: WorkloadManifest | Shared) -> list[Problem]:
    """The problems of a manifest in itself."""
    problems = list(_check_metadata(manifest.metadata))
    if isinstance(manifest, ConfigMap):
        problems += check_config_map(manifest)
    elif isinstance(manifest, Secret):
        problems += check_secret(manifest)
    elif isinstance(manifest, Service):
        problems += check_service(manifest)
    if isinstance(manifest, _WORKLOADS):
        problems += check_kind(manifest)
        problems += check_pod_spec(pod_of(manifest)[1], claim_templates_of(manifest))
    return problems


def _check_metadata(metadata: Metadata) -> Iterator[Problem]:
    if metadata.namespace != "default":
        yield metadata.origin.of("namespace").problem(
            f"there are no namespaces here: {metadata.namespace!r} must be left out",
            hint="a cloud of its own is what a namespace would be",
        )
