"""The order in which a pod's containers start: init containers one after the other, then the rest.

An init container is a oneshot that stays active once it has succeeded; the ones after it require
it. A sidecar is up, its startup probe passed, before the next one starts, and stops after the
pod's containers, since systemd stops in the reverse of the order in which it starts. A failed one
is tried again without a failure of those that wait (``RestartMode=direct``, systemd 254).

Sources: Kubernetes "Init Containers", "Sidecar Containers"; systemd.service(5).
"""

from __future__ import annotations

from skerry.compile.runtimes.quadlet import Section
from skerry.compile.runtimes.shape import container_name, is_init
from skerry.compile.runtimes.sources import Instance
from skerry.model.container import Container
from skerry.model.pod import PodSpec

# How long an init container may take before an apply goes back, in seconds. It runs on by itself
# if nobody waits for it.
INIT_SECONDS = 600.0
RESTART_MODE = ("RestartMode", "direct")


def needed_systemd(spec: PodSpec) -> int:
    """The version of systemd that the pod needs; 0 is any."""
    return 254 if spec.init_containers else 0


def compile_order(instance: Instance, container: Container) -> Section:
    """Lines for the [Unit] section: after whom the container starts."""
    spec = instance.workload.spec
    lines: Section = []
    for earlier in spec.init_containers:
        if earlier is container:
            break
        unit = f"{container_name(instance, earlier)}.service"
        # A sidecar's own restarts must not be those of the containers that run beside it.
        kind = "Requires" if is_init(spec, earlier) else "Wants"
        lines += [(kind, unit), ("After", unit)]
    return lines


def earlier_units(instance: Instance, container: Container) -> tuple[str, ...]:
    """The units that `compile_order` has it start after."""
    return tuple(unit for key, unit in compile_order(instance, container) if key == "After")
