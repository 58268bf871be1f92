"""Services of the type NodePort: which port of the nodes each has, and to which pods it leads.

A node answers at the port of a service if it runs a pod that the service selects: the port is
published for that pod. Source: Kubernetes "Service", "type: NodePort".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from skerry.compile.lock import Lock
from skerry.model.cloud import Cloud, Workload
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec
from skerry.model.service import NODE_PORTS, Service, ServicePort


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """The port `number` of a node that leads to the port `target` of a pod, and for whom."""

    number: int
    target: int
    protocol: str
    service: str
    origin: Origin


def port_key(service: str, port: ServicePort) -> str:
    """What ``cloud.lock`` calls it: ``SERVICE/PORT``, of UDP ``SERVICE/PORT/UDP``."""
    return f"{service}/{port.port}" + ("" if port.protocol == "TCP" else f"/{port.protocol}")


def node_port_of(service: str, port: ServicePort, node_ports: Mapping[str, int]) -> int | None:
    """The node's port of a port of a service: the one it asks for, or that was allocated."""
    return port.node_port or node_ports.get(port_key(service, port))


def with_node_ports(cloud: Cloud, lock: Lock) -> Lock:
    """The lock with a port for each port of a service that does not ask for one.

    What it has stays as it is; what nobody uses any more is left out.
    """
    return msgspec.structs.replace(lock, node_ports=allocate_node_ports(cloud, lock.node_ports))


def allocate_node_ports(cloud: Cloud, kept: Mapping[str, int]) -> dict[str, int]:
    """The ports by key: those of `kept`, and new ones that nothing else in the cloud uses.

    A new port follows from its key alone as far as it is free, so that two people who add
    different services from the same lock seldom choose the same one.
    """
    wanted = {
        port_key(name, port): port
        for name, service in sorted(cloud.services.items())
        for port in service.spec.ports
        if port.node_port is None
    }
    taken = _ports_in_use(cloud)
    found: dict[str, int] = {}
    for key in wanted:
        if key in kept and kept[key] not in taken:
            found[key] = kept[key]
            taken.add(kept[key])
    for key in wanted:
        if key not in found:
            found[key] = next(number for number in _candidates(key) if number not in taken)
            taken.add(found[key])
    return dict(sorted(found.items()))


def service_ports(
    services: Mapping[str, Service], node_ports: Mapping[str, int], workload: Workload
) -> list[Published]:
    """The ports of a node that services lead to a pod of the workload that runs there."""
    return [
        Published(
            number=number,
            target=target,
            protocol=port.protocol,
            service=name,
            origin=port.origin,
        )
        for name, service in sorted(services.items())
        if selects(service, workload)
        for port in service.spec.ports
        if (number := node_port_of(name, port, node_ports)) is not None
        and (target := try_target(port, workload.spec)) is not None
    ]


def selects(service: Service, workload: Workload) -> bool:
    """Whether the service means the pods of the workload."""
    return service.spec.selector.items() <= workload.labels.items()


def try_target(port: ServicePort, spec: PodSpec) -> int | None:
    """The number of the pod's port that is meant; None where the pod has none of that name."""
    if port.target_port is None:
        return port.port
    if isinstance(port.target_port, int):
        return port.target_port
    for container in spec.all_containers:
        for own in container.ports:
            if own.name == port.target_port and own.protocol == port.protocol:
                return own.container_port
    return None


def _ports_in_use(cloud: Cloud) -> set[int]:
    """What services and pods ask for by number, on any node."""
    asked = {port.node_port for one in cloud.services.values() for port in one.spec.ports}
    for workload in cloud.workloads.values():
        for port in (port for one in workload.spec.all_containers for port in one.ports):
            asked.add(port.container_port if workload.spec.host_network else port.host_port)
    return {number for number in asked if number is not None}


def _candidates(key: str) -> Iterator[int]:
    first, last = NODE_PORTS
    size = last - first + 1
    start = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big") % size
    return (first + (start + step) % size for step in range(size))
