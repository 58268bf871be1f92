"""Claims: those that StatefulSets make, and who may use one that is for a single pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from skerry.errors import Problem
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


def check_claim_users(
    workloads: Iterable[Workload], claims: Mapping[str, PersistentVolumeClaim]
) -> Iterator[Problem]:
    """Each claim with ReadWriteOncePod alone that more than one pod would use."""
    single = {
        name: claim
        for name, claim in claims.items()
        if set(claim.spec.access_modes) == {"ReadWriteOncePod"}
    }
    users: dict[str, list[str]] = {}
    for workload in workloads if single else ():
        count = len(workload.nodes) if workload.replicas is None else workload.replicas
        for volume in workload.spec.volumes:
            source = volume.persistent_volume_claim
            if source is not None and source.claim_name in single:
                users.setdefault(source.claim_name, []).extend([workload.name] * count)
    for name, pods in users.items():
        if len(pods) > 1:
            shown = ", ".join(f"{pods.count(one)} of {one!r}" for one in dict.fromkeys(pods))
            yield (
                single[name]
                .spec.origin.of("accessModes")
                .problem(
                    f"the claim {name!r} is for one pod (ReadWriteOncePod), "
                    f"and {len(pods)} would use it: {shown}",
                    hint="ReadWriteOnce is for the pods of one node",
                )
            )
