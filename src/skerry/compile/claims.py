"""What only one can have on a node: a path, a unit's name, a port."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.compile.runtimes.sources import Emitted, Instance
from skerry.compile.tree import Tree
from skerry.errors import Problem
from skerry.model.address import has_overlap
from skerry.model.container import ContainerPort


class NodeClaims:
    """Gathers the tree of one node and tells who wants what another has already."""

    def __init__(self, cloud: str, node: str) -> None:
        self.tree = Tree(cloud, node, {}, {}, {}, {}, {})
        self._owners: dict[str, str] = {}
        self._ports: dict[tuple[int, str], list[tuple[str, Instance]]] = {}

    def add(self, instance: Instance, emitted: Emitted) -> Iterator[Problem]:
        """Adds what an instance needs; yields the problems."""
        yield from self._claim_ports(instance)
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
        for container in spec.containers:
            for port in container.ports:
                number = port.container_port if spec.host_network else port.host_port
                if number is not None:
                    yield from self._claim_port(instance, port, number)

    def _claim_port(
        self, instance: Instance, port: ContainerPort, number: int
    ) -> Iterator[Problem]:
        address = port.host_ip or ""
        holders = self._ports.setdefault((number, port.protocol), [])
        for other_address, other in holders:
            if has_overlap(address, other_address):
                name = instance.workload.name
                rival = "another replica of it" if other.workload.name == name else ""
                yield port.origin.problem(
                    f"{name!r} takes port {number}/{port.protocol} of node {self.tree.node!r}, "
                    f"which {rival or repr(other.workload.name)} has already"
                )
                break
        holders.append((address, instance))
