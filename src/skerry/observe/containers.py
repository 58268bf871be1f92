"""Containers as Podman made them, beside what shall run. Pure but for `inspect_node`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from skerry.edge.exchange import DEADLINE, exchange
from skerry.edge.ssh import Link
from skerry.observe.finding import Finding
from skerry_node import wire

# "[IP:]HOST->CONTAINER/PROTOCOL", or "CONTAINER/PROTOCOL" for a port that is not published.
_PORT = re.compile(r"^(?:(?:(.*):)?(\d+)->)?(\d+)/(\w+)$")
_ANY_ADDRESS = ("", "0.0.0.0", "::", "*")


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """What `podman inspect` and the kernel say of one container.

    `env` is as it was made; `published` are ports of the node that lead to it (or to its pod), as
    ``[IP:]8080->80/tcp``; `listening` are ports with a socket behind them, as ``80/tcp``, None
    where that could not be read. `uses_host_network` says that it has no network of its own.
    """

    name: str
    image_id: str
    is_running: bool
    env: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    listening: tuple[str, ...] | None = None
    uses_host_network: bool = False


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """A node's units of some workloads, and their containers by unit.

    `routed` are the ports of the node (``8080/tcp``) that the packet filter leads to some
    container, None where that is not known; `error` is Podman's where it failed.
    """

    generation: int
    units: dict[str, Any]
    states: dict[str, Any]
    containers: dict[str, Container] = {}
    routed: tuple[str, ...] | None = None
    error: str = ""


# Has msgspec learn the types here, in one thread: two threads that are the first to convert a
# type at the same time crash the interpreter (msgspec 0.22).
_inspected = msgspec.json.Decoder(Inspected)


def inspect_node(
    link: Link,
    workloads: Iterable[str] | None = None,
    *,
    wants_containers: bool,
    deadline: float = DEADLINE,
) -> Inspected:
    """The units of the workloads (None: of all) in the node's active generation, their states,
    and with `wants_containers` their containers. Raises what `exchange` raises."""
    args = {
        "workloads": None if workloads is None else sorted(workloads),
        "containers": wants_containers,
    }
    return msgspec.convert(exchange(link, "inspect", args, deadline=deadline), Inspected)


def diff_container(
    node: str,
    unit: str,
    entry: wire.UnitEntry,
    container: Container,
    environment: Mapping[str, str] | None,
    routed: Sequence[str] | None = None,
) -> Iterable[Finding]:
    """How a running container differs from its unit: image, ports, variables.

    `routed` is as in `Inspected`.
    """
    fix = f"on the node: systemctl restart {unit}"

    def finding(kind: Any, name: str, expected: str, actual: str, fix: str = fix) -> Finding:
        return Finding(
            node=node,
            workloads=(entry["workload"],),
            kind=kind,
            name=f"{name} of {container.name}",
            expected=expected,
            actual=actual,
            fix=fix,
        )

    if entry["image_id"] and container.image_id != entry["image_id"]:
        yield finding("image", entry["image"], entry["image_id"][:12], container.image_id[:12])
    for port in entry["ports"]:
        if (fault := port_fault(port, container, routed)) is not None:
            fixes = {
                NOTHING_LISTENS: f"skerry logs {entry['workload']}",
                NOT_ROUTED: f"on the node: podman network reload {container.name}",
            }
            yield finding("port", port, PORT_WELL, fault, fixes.get(fault, fix))
    there = dict(variable.partition("=")[::2] for variable in container.env)
    for name, value in (environment or {}).items():
        if there.get(name) != value:
            actual = repr(there[name]) if name in there else "not set"
            yield finding("env", name, repr(value), actual)


PORT_WELL = "published, and something listens behind it"
NOT_PUBLISHED = "not published"
NOT_ROUTED = "published, but the packet filter has lost the rule that leads there"
NOTHING_LISTENS = "published, but nothing listens behind it"


def port_fault(port: str, container: Container, routed: Sequence[str] | None = None) -> str | None:
    """What is wrong with a port of a running container; None where all is well."""
    wanted = parse_port(port)
    if wanted is None:
        return "of a form that is not known here"
    address, host, inside, protocol = wanted
    if host and not container.uses_host_network:
        found = {parse_port(published) for published in container.published}
        if not any(
            other is not None
            and other[1:] == (host, inside, protocol)
            # A manifest's port may leave the address out; the unit's file has it.
            and (_is_any(address) or other[0] == address)
            for other in found
        ):
            return NOT_PUBLISHED
        if routed is not None and f"{host}/{protocol}" not in routed:
            return NOT_ROUTED
    if container.listening is not None and f"{inside}/{protocol}" not in container.listening:
        return NOTHING_LISTENS
    return None


def parse_port(port: str) -> tuple[str, int, int, str] | None:
    """Address, port of the node (0 for none), port inside, protocol; None if it is no port."""
    match = _PORT.match(port)
    if match is None:
        return None
    address, host, inside, protocol = match.groups()
    return (address or "").strip("[]"), int(host or 0), int(inside), protocol.lower()


def _is_any(address: str) -> bool:
    return address in _ANY_ADDRESS
