"""Whether two versions of a pod can run side by side on a node."""

from __future__ import annotations

from skerry.model.pod import PodSpec
from skerry.model.words import IntOrPercent


def bar_of(spec: PodSpec) -> str:
    """What of a pod only one can have on a node; empty where there is nothing."""
    if spec.restart_policy != "Always":
        return "it ends by itself"
    if spec.host_network:
        return "the node's network"
    for container in spec.all_containers:
        for port in container.ports:
            if port.host_port is not None:
                return f"port {port.host_port}"
    written = {
        mount.name
        for container in spec.all_containers
        for mount in container.volume_mounts
        if not mount.read_only
    }
    for volume in spec.volumes:
        if volume.persistent_volume_claim is not None:
            return f"claim {volume.persistent_volume_claim.claim_name}"
        if volume.host_path is not None and volume.name in written:
            return f"it writes to {volume.host_path.path}"
    return ""


def is_zero(value: IntOrPercent | None) -> bool:
    """Whether an amount is written and means none, whatever it is a part of."""
    return value == 0 or (isinstance(value, str) and int(value[:-1]) == 0)
