"""The ports of a pod in themselves."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
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
        if port.host_ip is not None and not _is_address(port.host_ip):
            yield port.origin.of("hostIP").problem(f"{port.host_ip!r} is not an IP address")
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
            if other == address or "" in (other, address):
                yield port.origin.of("hostPort").problem(
                    f"the node's port {port.host_port}/{port.protocol} is taken twice, "
                    f"first in line {line}"
                )
                break
        others.append((address, port.origin.line))


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
