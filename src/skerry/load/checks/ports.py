"""The ports of a pod in themselves."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.checks.network import check_address
from skerry.model.address import has_overlap
from skerry.model.container import ContainerPort
from skerry.model.pod import PodSpec


def check_ports(spec: PodSpec) -> Iterator[Problem]:
    """Names and ports of the node that are given twice, and addresses that are none."""
    names: dict[str, int] = {}
    taken: dict[tuple[int, str], list[tuple[str, int]]] = {}
    for port in (port for container in spec.all_containers for port in container.ports):
        if port.name is not None:
            if port.name in names:
                yield port.origin.of("name").problem(
                    f"two ports have the name {port.name!r}, the first in line {names[port.name]}"
                )
            names.setdefault(port.name, port.origin.line)
        yield from _check_host_ip(spec, port)
        if port.host_port is None:
            continue
        if spec.host_network and port.host_port != port.container_port:
            yield port.origin.of("hostPort").problem(
                f"with hostNetwork, hostPort ({port.host_port}) "
                f"and containerPort ({port.container_port}) are the same port",
                hint="leave hostPort out",
            )
        address = port.host_ip or ""
        others = taken.setdefault((port.host_port, port.protocol), [])
        for other, line in others:
            if has_overlap(other, address):
                yield port.origin.of("hostPort").problem(
                    f"the node's port {port.host_port}/{port.protocol} is taken twice, "
                    f"first in line {line}"
                )
                break
        others.append((address, port.origin.line))


def _check_host_ip(spec: PodSpec, port: ContainerPort) -> Iterator[Problem]:
    if port.host_ip is None:
        return
    place = port.origin.of("hostIP")
    faults = list(check_address(place, port.host_ip))
    yield from faults
    if faults:
        return
    if spec.host_network:
        yield place.problem(
            "with hostNetwork, the program itself says at which address it listens",
            hint="leave hostIP out",
        )
    elif port.host_port is None:
        yield place.problem("hostIP has no effect without hostPort")
    elif port.host_ip == "::1":
        yield place.problem(
            "Linux does not forward what comes to ::1", hint="127.0.0.1 is the same node"
        )
