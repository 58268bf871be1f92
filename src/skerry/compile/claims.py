"""What only one can have on a node: a path, a unit's name, a port."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.compile.runtimes.sources import Emitted, Instance, Sources
from skerry.compile.tree import Tree
from skerry.errors import Problem
from skerry.model.address import has_overlap
from skerry.model.origin import Origin


class NodeClaims:
    """Gathers the tree of one node and tells who wants what another has already."""

    def __init__(self, cloud: str, node: str) -> None:
        self.tree = Tree(cloud, node, {}, {}, {}, {}, {})
        self._owners: dict[str, str] = {}
        self._ports: dict[tuple[int, str], list[tuple[str, Instance]]] = {}

    def add(
        self, instance: Instance, emitted: Emitted, sources: Sources | None = None
    ) -> Iterator[Problem]:
        """Adds what an instance needs; yields the problems. `sources` has the services."""
        yield from self._claim_ports(instance)
        for port in sources.service_ports(instance.workload) if sources is not None else ():
            yield from self._claim_port(instance, port.origin, (port.number, port.protocol), "")
        place = instance.workload.placement.origin
        for path, owned in emitted.files.items():
            other = self._owners.setdefault(path, owned.owner)
            if other != owned.owner or (path in self.tree.files and other.startswith("workload ")):
                yield place.problem(
                    f"{owned.owner} and {other} both own {path} on node {self.tree.node!r}",
                    hint="give one of them another name",
                )
            self.tree.files[path] = owned.file
        for name, unit in emitted.units.items():
            if name in self.tree.units:
                yield place.problem(
                    f"the workloads {unit.workload!r} and {self.tree.units[name].workload!r} both "
                    f"make the unit {name} on node {self.tree.node!r}",
                    hint="give one of them another name",
                )
            self.tree.units[name] = unit
        self.tree.images.update(emitted.images)
        self.tree.secrets.update(emitted.secrets)

    def _claim_ports(self, instance: Instance) -> Iterator[Problem]:
        spec = instance.workload.spec
        for container in spec.all_containers:
            for port in container.ports:
                number = port.container_port if spec.host_network else port.host_port
                if number is not None:
                    place = number, port.protocol
                    address = port.host_ip or ""
                    yield from self._claim_port(instance, port.origin, place, address)

    def _claim_port(
        self, instance: Instance, origin: Origin, port: tuple[int, str], address: str
    ) -> Iterator[Problem]:
        number, protocol = port
        holders = self._ports.setdefault(port, [])
        for other_address, other in holders:
            if has_overlap(address, other_address):
                name = instance.workload.name
                rival = "another replica of it" if other.workload.name == name else ""
                yield origin.problem(
                    f"{name!r} takes port {number}/{protocol} of node {self.tree.node!r}, "
                    f"which {rival or repr(other.workload.name)} has already"
                )
                break
        holders.append((address, instance))
