"""A container's CPU and memory: limits on its unit.

Sources: systemd.resource-control(5); Kubernetes "Resource Management for Pods and Containers".
"""

from __future__ import annotations

from skerry.compile.runtimes.quadlet import Section
from skerry.model.container import Container
from skerry.model.quantity import parse_cpu, parse_memory


def compile_resources(container: Container) -> Section:
    """The limits lie on the unit: its cgroup holds the container (Quadlet's --cgroups=split).

    Podman's own options fail where a controller is missing; systemd goes on without.
    """
    limits = container.resources.limits
    lines: Section = []
    if limits.memory is not None:
        size = parse_memory(limits.memory)
        # As much swap again: what `podman run --memory` gives. All of the container ends when
        # its memory does, as Kubernetes has it.
        lines += [("MemoryMax", str(size)), ("MemorySwapMax", str(size)), ("OOMPolicy", "kill")]
    if limits.cpu is not None:
        lines.append(("CPUQuota", f"{parse_cpu(limits.cpu) / 10:g}%"))
    return lines
