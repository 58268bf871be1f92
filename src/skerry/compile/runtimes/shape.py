"""What units a pod is made of: one container alone, or a pod with a unit of its own.

A pod of one container gets no pod unit: it starts in half the time and has one supervisor
instead of three. What concerns the pod as a whole needs one.
"""

from __future__ import annotations

from skerry.compile.runtimes.downward import needs_own_address
from skerry.compile.runtimes.sources import Instance
from skerry.model.container import Container
from skerry.model.pod import PodSpec


def is_grouped(spec: PodSpec) -> bool:
    """Whether the pod has a unit of its own, to which its containers' units belong."""
    return (
        len(spec.all_containers) > 1
        or spec.active_deadline_seconds is not None
        # The network of a container alone comes after its variables.
        or needs_own_address(spec)
    )


def is_sidecar(spec: PodSpec, container: Container) -> bool:
    """Whether it runs beside the pod's containers and was started before them."""
    return container.restart_policy == "Always" and container in spec.init_containers


def is_init(spec: PodSpec, container: Container) -> bool:
    """Whether it ends before the pod's containers start."""
    return container.restart_policy is None and container in spec.init_containers


def role_of(spec: PodSpec, container: Container) -> str:
    """Its role, in the words of `wire.UnitEntry`."""
    if container not in spec.init_containers:
        return "container"
    return "sidecar" if container.restart_policy == "Always" else "init"


def sidecars_of(spec: PodSpec) -> list[Container]:
    """The sidecars, in their order."""
    return [one for one in spec.init_containers if one.restart_policy == "Always"]


def container_name(instance: Instance, container: Container) -> str:
    """The name of the container, and of its unit without ``.service``."""
    spec = instance.workload.spec
    return f"{instance.name}.{container.name}" if is_grouped(spec) else instance.name


def pod_unit(instance: Instance) -> str:
    """The pod's own unit."""
    return f"{instance.name}-pod.service"
