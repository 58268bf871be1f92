"""A Service in itself: its ports.

Source: Kubernetes' own validation (ValidateService of its package ``core/validation``).
"""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.model.service import NODE_PORTS, Service


def check_service(service: Service) -> Iterator[Problem]:
    """Names, ports and node ports that are given twice, or that cannot be."""
    ports = service.spec.ports
    if not service.spec.selector:
        yield service.spec.origin.of("selector").problem(
            "`selector` must have at least one label",
            hint="a port of the nodes can only lead to pods of the cloud",
        )
    for port in ports:
        if port.name is None and len(ports) > 1:
            yield port.origin.problem("each of several ports needs a `name`")
    names: dict[str, int] = {}
    seen: dict[tuple[str, int, str], int] = {}
    for port in ports:
        if port.name is not None and port.name in names:
            yield port.origin.of("name").problem(
                f"two ports have the name {port.name!r}, the first in line {names[port.name]}"
            )
        names.setdefault(port.name or "", port.origin.line)
        for field, number in (("port", port.port), ("nodePort", port.node_port)):
            key = field, number or 0, port.protocol
            if number is not None and key in seen:
                yield port.origin.of(field).problem(
                    f"{field} {number}/{port.protocol} is given twice, first in line {seen[key]}"
                )
            seen.setdefault(key, port.origin.line)
        if port.node_port is not None and not NODE_PORTS[0] <= port.node_port <= NODE_PORTS[1]:
            yield port.origin.of("nodePort").problem(
                f"nodePort {port.node_port} is not from {NODE_PORTS[0]} to {NODE_PORTS[1]}",
                hint="`hostPort` in the pod can be any port",
            )
