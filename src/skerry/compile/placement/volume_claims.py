"""Which PersistentVolumeClaims a workload's pods use: what binds them to a node."""

from __future__ import annotations

from collections.abc import Iterable

from skerry.model.cloud import Cloud, Workload, claim_templates_of
from skerry.model.quantity import parse_memory
from skerry.model.statefulset import replica_claim


def shared_claims(workload: Workload) -> tuple[str, ...]:
    """The claims that every replica uses, by name, sorted."""
    templates = claim_templates_of(workload.manifest)
    names = {
        volume.persistent_volume_claim.claim_name
        for volume in workload.spec.volumes
        if volume.persistent_volume_claim is not None and volume.name not in templates
    }
    return tuple(sorted(names))


def claims_of_ordinal(workload: Workload, ordinal: int) -> tuple[str, ...]:
    """The claims that one replica of a StatefulSet has for itself."""
    templates = claim_templates_of(workload.manifest)
    return tuple(replica_claim(template, workload.name, ordinal) for template in templates)


def storage_of(cloud: Cloud, claims: Iterable[str]) -> int:
    """The bytes that claims ask for together."""
    return sum(
        parse_memory(cloud.claims[claim].spec.resources.requests.storage)
        for claim in claims
        if claim in cloud.claims
    )
