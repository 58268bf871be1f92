"""The claims that StatefulSets make: one of each template for each replica."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from skerry.load.manifest import Manifests
from skerry.model.claim import PersistentVolumeClaim
from skerry.model.cloud import Workload
from skerry.model.statefulset import StatefulSet, replica_claim


def template_claims(
    workloads: Iterable[Workload], manifests: Manifests
) -> dict[str, PersistentVolumeClaim]:
    """The claims by name. One that is written in the folder too is a problem of `manifests`.

    Kubernetes would take the claim that is there; here two owners of one folder are an error.
    """
    made: dict[str, PersistentVolumeClaim] = {}
    for workload in workloads:
        manifest = workload.manifest
        if not isinstance(manifest, StatefulSet):
            continue
        for template in manifest.spec.volume_claim_templates:
            for ordinal in workload.ordinals:
                name = replica_claim(template.metadata.name, workload.name, ordinal)
                if name in manifests.claims:
                    first = manifests.claims[name].origin
                    manifests.problems.append(
                        template.metadata.origin.of("name").problem(
                            f"{workload.name!r} makes the claim {name!r}, which is also "
                            f"written at {first.file}:{first.line}",
                            hint="give one of them another name",
                        )
                    )
                metadata = msgspec.structs.replace(template.metadata, name=name)
                made[name] = PersistentVolumeClaim(
                    api_version="v1", metadata=metadata, spec=template.spec, origin=template.origin
                )
    return made
