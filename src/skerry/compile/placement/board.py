"""What is placed where by now, and what nodes have left: memory, ports, and who is whose rival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from skerry.compile.lock import Lock
from skerry.compile.placement.candidates import node_labels
from skerry.compile.placement.memory import Room, node_room, pod_memory
from skerry.compile.placement.topology import Rule
from skerry.compile.services import node_port_of
from skerry.model.address import has_overlap
from skerry.model.cloud import Cloud, Workload
from skerry.model.matching import matches_labels
from skerry.model.scheduling import PodAffinityTerm, PodAntiAffinity
from skerry.model.selector import LabelSelector

NodePort = tuple[int, str, str]
"""A port of a node: number, protocol, address or ""."""


class Ask(msgspec.Struct, frozen=True):
    """What each replica of a workload takes of its node: bytes of memory, and ports."""

    memory: int
    ports: tuple[NodePort, ...]


class Board:
    """The cloud's nodes while its workloads are placed, one after the other."""

    def __init__(self, cloud: Cloud, lock: Lock) -> None:
        self.cloud = cloud
        self.rooms: dict[str, Room] = {
            name: node_room(node, lock.nodes.get(name)) for name, node in cloud.nodes.items()
        }
        self.labels: dict[str, dict[str, str]] = {
            name: node_labels(name, node, lock.nodes.get(name))
            for name, node in cloud.nodes.items()
        }
        self.pods: dict[str, dict[str, int]] = {}
        self._ports: dict[str, dict[tuple[int, str], list[tuple[str, str]]]] = {}
        self._rivals: list[str] = []
        self._node_ports = _service_ports(cloud, lock)

    def ask_of(self, workload: Workload) -> Ask:
        """What a replica of the workload takes."""
        spec = workload.spec
        ports: list[NodePort] = []
        for container in spec.all_containers:
            for port in container.ports:
                number = port.container_port if spec.host_network else port.host_port
                if number is not None:
                    ports.append((number, port.protocol, port.host_ip or ""))
        for selector, taken in self._node_ports:
            if selector.items() <= workload.labels.items():
                ports += taken
        return Ask(pod_memory(spec), tuple(ports))

    def add(self, workload: Workload) -> None:
        """The workload is placed from now on; `pods` has its replicas by node."""
        self.pods.setdefault(workload.name, {})
        terms = workload.spec.affinity.pod_anti_affinity
        if terms is not None and workload.name not in self._rivals:
            self._rivals.append(workload.name)

    def take(self, node: str, workload: str, ask: Ask) -> None:
        """A replica of the workload is on the node."""
        self.rooms[node].planned += ask.memory
        for number, protocol, address in ask.ports:
            holders = self._ports.setdefault(node, {}).setdefault((number, protocol), [])
            holders.append((address, workload))

    def give_back(self, node: str, workload: str, ask: Ask) -> None:
        """A replica of the workload leaves the node."""
        self.rooms[node].planned -= ask.memory
        for number, protocol, address in ask.ports:
            self._ports[node][number, protocol].remove((address, workload))

    def port_rival(self, node: str, ask: Ask) -> tuple[NodePort, str] | None:
        """A port of the node that somebody has already, and who."""
        taken = self._ports.get(node)
        if taken:
            for port in ask.ports:
                for address, holder in taken.get(port[:2], ()):
                    if has_overlap(address, port[2]):
                        return port, holder
        return None

    def fits(self, node: str, ask: Ask) -> bool:
        """Whether memory and ports of the node suffice for one more."""
        return self.rooms[node].fits(ask.memory) and not (ask.ports and self.port_rival(node, ask))

    def explain(self, node: str, workload: str, ask: Ask) -> str:
        """Why the node has no room for one more; "" where it has."""
        if not self.rooms[node].fits(ask.memory):
            return self.rooms[node].explain(workload, ask.memory)
        rival = self.port_rival(node, ask)
        if rival is None:
            return ""
        (number, protocol, _), holder = rival
        whose = "another replica" if holder == workload else repr(holder)
        return f"port {number}/{protocol} is taken by {whose}"

    def rules_of(self, workload: Workload, candidates: Iterable[str]) -> list[Rule]:
        """The workload's rules of topology, and those of others that keep it off."""
        spec = workload.spec
        anti = spec.affinity.pod_anti_affinity
        if not (anti or spec.topology_spread_constraints or self._rivals):
            return []
        candidates = list(candidates)
        rules = []
        for constraint in spec.topology_spread_constraints:
            kind = constraint.when_unsatisfiable
            rules.append(
                Rule(
                    "even" if kind == "DoNotSchedule" else "rather-even",
                    constraint.topology_key,
                    self.labels,
                    self._count(constraint.label_selector, constraint.topology_key),
                    counts_own=matches_labels(constraint.label_selector, workload.labels),
                    places=self._places(constraint.topology_key, candidates),
                    max_skew=constraint.max_skew,
                    min_domains=constraint.min_domains or 1,
                )
            )
        if anti is not None:
            rules += self._own_terms(anti, workload)
        for name in self._rivals:
            if name != workload.name:
                rules += self._terms_of_other(self.cloud.workloads[name], workload)
        return rules

    def _own_terms(self, anti: PodAntiAffinity, workload: Workload) -> Iterable[Rule]:
        for term, weight in _terms(anti):
            yield Rule(
                "rather-apart" if weight else "apart",
                term.topology_key,
                self.labels,
                self._count(term.label_selector, term.topology_key),
                counts_own=matches_labels(term.label_selector, workload.labels),
                places=set(),
                weight=weight or 1,
            )

    def _terms_of_other(self, other: Workload, workload: Workload) -> Iterable[Rule]:
        """Anti-affinity goes both ways: who comes later keeps off too."""
        anti = other.spec.affinity.pod_anti_affinity
        for term, weight in _terms(anti) if anti is not None else ():
            if matches_labels(term.label_selector, workload.labels):
                yield Rule(
                    "rather-apart" if weight else "apart",
                    term.topology_key,
                    self.labels,
                    self._count_pods([other.name], term.topology_key),
                    counts_own=False,
                    places=set(),
                    weight=weight or 1,
                )

    def _count(self, selector: LabelSelector | None, key: str) -> dict[str, int]:
        """The placed pods that a selector of pods means, by the value of a node's label."""
        names = [
            name
            for name in self.pods
            if matches_labels(selector, self.cloud.workloads[name].labels)
        ]
        return self._count_pods(names, key)

    def _count_pods(self, names: Iterable[str], key: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name in names:
            for node, count in self.pods[name].items():
                value = self.labels[node].get(key)
                if value is not None:
                    counts[value] = counts.get(value, 0) + count
        return counts

    def _places(self, key: str, candidates: Iterable[str]) -> set[str]:
        found = {self.labels[node].get(key) for node in candidates}
        return {value for value in found if value is not None}


def _terms(anti: PodAntiAffinity) -> Iterable[tuple[PodAffinityTerm, int]]:
    """The terms with their weights; 0 is the weight of one that must hold."""
    for term in anti.required_during_scheduling_ignored_during_execution:
        yield term, 0
    for wish in anti.preferred_during_scheduling_ignored_during_execution:
        yield wish.pod_affinity_term, wish.weight


def _service_ports(cloud: Cloud, lock: Lock) -> list[tuple[Mapping[str, str], list[NodePort]]]:
    """The ports that services take on nodes with a pod of theirs, by the service's selector."""
    found: list[tuple[Mapping[str, str], list[NodePort]]] = []
    for name, service in cloud.services.items():
        ports: list[NodePort] = []
        for port in service.spec.ports:
            number = node_port_of(name, port, lock.node_ports)
            if number is not None:
                ports.append((number, port.protocol, ""))
        found.append((service.spec.selector, ports))
    return found
