"""The ports of the node that lead into a pod.

Sources: podman-run(1) "--publish"; Kubernetes API reference, ContainerPort v1 core.
"""

from __future__ import annotations

from collections.abc import Iterator

from skerry.compile.runtimes.quadlet import Section
from skerry.compile.runtimes.sources import Instance, Sources
from skerry.compile.services import Published
from skerry.model.container import Container, ContainerPort
from skerry.model.pod import PodSpec

# The network of pods to which an IPv6 address of the node leads.
NETWORK_6 = "skerry6"


def needs_network_6(spec: PodSpec) -> bool:
    """Whether a port of the pod is one of an IPv6 address of the node."""
    return not spec.host_network and any(
        port.host_port is not None and ":" in (port.host_ip or "")
        for container in spec.all_containers
        for port in container.ports
    )


def compile_ports(instance: Instance, sources: Sources) -> Section:
    """The ports of the node that lead into the pod; one in the node's network needs none."""
    spec = instance.workload.spec
    if spec.host_network:
        return []
    lines = [
        f"{_node_side(port)}:{port.container_port}/{port.protocol.lower()}"
        for container in spec.all_containers
        for port in container.ports
        if port.host_port is not None
    ]
    lines += [
        f"{port.number}:{port.target}/{port.protocol.lower()}"
        for port in sources.service_ports(instance.workload)
    ]
    return [("PublishPort", line) for line in lines]


def port_words(instance: Instance, container: Container, sources: Sources) -> Iterator[str]:
    """The ports of the node that lead to a container, as status shows them."""
    for port in container.ports:
        if instance.workload.spec.host_network:
            yield f"{port.container_port}->{port.container_port}/{port.protocol.lower()}"
        elif port.host_port is not None:
            yield f"{_node_side(port)}->{port.container_port}/{port.protocol.lower()}"
    spec = instance.workload.spec
    for lead in sources.service_ports(instance.workload):
        if _holder(spec, lead) is container:
            yield f"{lead.number}->{lead.target}/{lead.protocol.lower()}"


def _holder(spec: PodSpec, lead: Published) -> Container:
    """The container that says it has the port, or else the first one."""
    for container in spec.all_containers:
        for port in container.ports:
            if (port.container_port, port.protocol) == (lead.target, lead.protocol):
                return container
    return spec.containers[0]


def _node_side(port: ContainerPort) -> str:
    if port.host_ip is None:
        return str(port.host_port)
    address = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    return f"{address}:{port.host_port}"
