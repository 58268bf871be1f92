"""The pods of a StatefulSet: each with its own name, host name and claims.

Source: Kubernetes "StatefulSets"; its controller's ``newVersionedStatefulSetPod``.
"""

from __future__ import annotations

import msgspec

from skerry.model.cloud import Workload
from skerry.model.statefulset import StatefulSet, replica_claim
from skerry.model.volume import PersistentVolumeClaimVolumeSource, Volume

_replace = msgspec.structs.replace


def replica_workload(workload: Workload, ordinal: int) -> Workload:
    """The workload as the replica with this number sees it: its host name and its claims.

    Anything but a StatefulSet is the same for all of its replicas.
    """
    manifest = workload.manifest
    if not isinstance(manifest, StatefulSet):
        return workload
    template = manifest.spec.template
    volumes = [
        Volume(
            name=one.metadata.name,
            persistent_volume_claim=PersistentVolumeClaimVolumeSource(
                claim_name=replica_claim(one.metadata.name, workload.name, ordinal),
                origin=one.metadata.origin,
            ),
            origin=one.metadata.origin,
        )
        for one in manifest.spec.volume_claim_templates
    ]
    spec = _replace(
        template.spec,
        hostname=f"{workload.name}-{ordinal}",
        volumes=(*template.spec.volumes, *volumes),
    )
    own = _replace(manifest.spec, template=_replace(template, spec=spec))
    return _replace(workload, manifest=_replace(manifest, spec=own))
