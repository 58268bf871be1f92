"""A container's CPU and memory: what it is sure to get, and what it may use at most.

All lies on the container's unit, whose cgroup holds the container (Quadlet's --cgroups=split):
Podman's own options fail where a controller is missing; systemd goes on without. A pod has what
its containers have together, for their units lie side by side.

Sources: systemd.resource-control(5); Linux "Control Group v2"; Kubernetes "Resource Management for
Pods and Containers".
"""

from __future__ import annotations

from skerry.compile.runtimes.quadlet import Section
from skerry.model.container import Container, ResourceRequirements
from skerry.model.quantity import parse_cpu, parse_memory

# systemd's bounds; 100 is what any service of the node has.
_WEIGHTS = (1, 10_000)


def compile_resources(container: Container) -> Section:
    """Limits, and requests as weight and protection."""
    # The kernel protects no more memory of a cgroup than is protected of all those above, and of
    # system.slice none is; the root needs none. And so all pods are at one level, with the
    # services of the node together beside each of them.
    slice_line = ("Slice", "-.slice")
    resources = container.resources
    return [slice_line, *_limit_lines(resources), *_request_lines(resources)]


def _limit_lines(resources: ResourceRequirements) -> Section:
    limits = resources.limits
    lines: Section = []
    if limits.memory is not None:
        size = parse_memory(limits.memory)
        # As much swap again: what `podman run --memory` gives. All of the container ends when
        # its memory does, as Kubernetes has it.
        lines += [("MemoryMax", str(size)), ("MemorySwapMax", str(size)), ("OOMPolicy", "kill")]
    if limits.cpu is not None:
        lines.append(("CPUQuota", f"{parse_cpu(limits.cpu) / 10:g}%"))
    return lines


def _request_lines(resources: ResourceRequirements) -> Section:
    """Who asks for nothing has what the services of the node have: as much as for 100m of CPU.

    A limit is a request too where there is none, as in Kubernetes.
    """
    requests, limits = resources.requests, resources.limits
    cpu = requests.cpu if requests.cpu is not None else limits.cpu
    memory = requests.memory if requests.memory is not None else limits.memory
    lines: Section = []
    if cpu is not None:
        weight = min(max(parse_cpu(cpu), _WEIGHTS[0]), _WEIGHTS[1])
        lines.append(("CPUWeight", str(weight)))
    if memory is not None and parse_memory(memory):
        # Memory that is not taken away while there is other.
        lines.append(("MemoryLow", str(parse_memory(memory))))
    return lines
