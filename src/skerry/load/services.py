"""Services and the pods of the cloud that they select."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from skerry.errors import Problem
from skerry.load.manifest import Manifests
from skerry.load.reading import join_words
from skerry.load.unknown import nearest
from skerry.model.cloud import Workload, pod_of
from skerry.model.kinds import WORKLOAD_KINDS
from skerry.model.service import Service, ServicePort


def check_services(manifests: Manifests, workloads: Iterable[Workload]) -> None:
    """Notes services that select nothing, or ports of pods or nodes that they cannot have."""
    workloads = list(workloads)
    manifests.problems += _check_node_ports(manifests.services)
    for name, service in manifests.services.items():
        chosen = [one for one in workloads if _selects(service, one.labels)]
        if not chosen:
            manifests.problems += _check_empty(name, service, manifests, workloads)
        for port in service.spec.ports:
            manifests.problems += _check_target(name, port, chosen)


def _check_node_ports(services: Mapping[str, Service]) -> Iterator[Problem]:
    """A port of the nodes is that of one service in the whole cloud, as in Kubernetes."""
    first: dict[tuple[int, str], str] = {}
    for name, service in services.items():
        for port in service.spec.ports:
            if port.node_port is None:
                continue
            other = first.setdefault((port.node_port, port.protocol), name)
            if other != name:
                place = services[other].origin
                yield port.origin.of("nodePort").problem(
                    f"port {port.node_port}/{port.protocol} of the nodes is taken twice, by the "
                    f"services {other!r} ({place.file}:{place.line}) and {name!r}"
                )


def _selects(service: Service, labels: dict[str, str]) -> bool:
    return service.spec.selector.items() <= labels.items()


def _check_empty(
    name: str, service: Service, manifests: Manifests, workloads: Sequence[Workload]
) -> Iterator[Problem]:
    broken = {kind for kind, _ in manifests.broken}
    if not service.spec.selector or broken & {"", *WORKLOAD_KINDS}:
        return
    wanted = ", ".join(f"{key}: {value}" for key, value in service.spec.selector.items())
    hint = ""
    for file, several in manifests.workloads.items():
        for manifest in several:
            if _selects(service, pod_of(manifest)[0].labels):
                hint = f"{manifest.metadata.name} in {file} has these labels, but `run:` has it not"
    if not hint:
        there = {f"{key}: {value}" for one in workloads for key, value in one.labels.items()}
        near = nearest(wanted, sorted(there))
        hint = f"did you mean {near}?" if near else ""
    yield service.spec.origin.of("selector").problem(
        f"service {name!r} selects nothing: no pod of the cloud has the labels {wanted}", hint=hint
    )


def _check_target(name: str, port: ServicePort, chosen: Sequence[Workload]) -> Iterator[Problem]:
    for workload in chosen:
        if workload.spec.host_network:
            yield port.origin.problem(
                f"service {name!r} selects {workload.name!r}, whose pods are in the network of "
                "their nodes: no other port of the node can lead there",
                hint="leave out hostNetwork in the pod, or the service",
            )
        names = [
            own.name
            for container in workload.spec.all_containers
            for own in container.ports
            if own.name is not None and own.protocol == port.protocol
        ]
        if isinstance(port.target_port, str) and port.target_port not in names:
            near = nearest(port.target_port, names)
            known = join_words(sorted(names), "and")
            yield port.origin.of("targetPort").problem(
                f"no container of {workload.name!r} has a port named {port.target_port!r} "
                f"({port.protocol})",
                hint=f"did you mean {near!r}?" if near else (f"it has {known}" if names else ""),
            )
