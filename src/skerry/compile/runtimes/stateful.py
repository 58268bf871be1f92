"""The pods of a StatefulSet: each with its own name, host name and claims.

Source: Kubernetes "StatefulSets"; its controller's ``newVersionedStatefulSetPod``.
"""

from __future__ import annotations

import msgspec

from skerry.compile.runtimes.quadlet import render_unit
from skerry.compile.runtimes.sources import Emitted, Instance, OwnedFile
from skerry.compile.tree import File
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


def add_order(instance: Instance, emitted: Emitted) -> None:
    """Has the units of a replica wait for those with lower numbers, where these start with it.

    Ordering alone: a replica that is started again later does not ask how the others do, and one
    on another node is not waited for.
    """
    manifest = instance.workload.manifest
    assert isinstance(manifest, StatefulSet)
    start = manifest.spec.ordinals.start
    if manifest.spec.pod_management_policy == "Parallel" or instance.ordinal == start:
        return
    lower = [_replace(instance, ordinal=one).name for one in range(start, instance.ordinal)]
    owner = f"workload {instance.workload.name}"
    comment = f"Written by skerry, {owner}."
    for name in emitted.units:
        # One drop-in for each unit: its name begins with the replica's.
        before = " ".join(other + name.removeprefix(instance.name) for other in lower)
        path = f"/etc/systemd/system/{name}.d/order.conf"
        text = render_unit([("Unit", [("After", before)])], comment=comment)
        emitted.files[path] = OwnedFile(File(text), owner)
