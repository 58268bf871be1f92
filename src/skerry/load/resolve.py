"""From placements and manifests to workloads: what refers to what, and whether it is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from skerry.errors import Problem
from skerry.load.checks.kinds import check_placement
from skerry.load.checks.rolling import check_recreate
from skerry.load.manifest import Manifests, path_fault
from skerry.load.reading import join_words
from skerry.load.unknown import nearest
from skerry.model.address import has_overlap
from skerry.model.cloud import (
    CloudFile,
    Node,
    Placement,
    Workload,
    WorkloadManifest,
)
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.job import Job
from skerry.model.kinds import WORKLOAD_KINDS
from skerry.model.origin import Origin
from skerry.model.pod import Pod, PodSpec
from skerry.model.statefulset import StatefulSet

_ANY = join_words(WORKLOAD_KINDS, "or")


class KnownNodes:
    """The nodes that placements can name.

    `broken` are the names of nodes that are there but were left out because of problems;
    `may_be_more` says that there are others whose names could not be read.
    """

    def __init__(self, nodes: dict[str, Node], broken: set[str], *, may_be_more: bool) -> None:
        self.nodes = nodes
        self.names = sorted(nodes)
        self.broken = broken
        self.may_be_more = may_be_more

    @property
    def is_complete(self) -> bool:
        """Whether `names` are all nodes of the cloud."""
        return not self.broken and not self.may_be_more


def resolve_workloads(
    file: CloudFile, folder: Path, nodes: KnownNodes, manifests: Manifests
) -> dict[str, Workload]:
    """The workloads by name. Problems go to those of `manifests`."""
    workloads: dict[str, Workload] = {}
    for name, placement in file.run.items():
        manifest = _find_manifest(placement, folder, manifests)
        chosen = _resolve_nodes(name, placement, nodes, manifests.problems)
        if manifest is not None:
            manifests.problems += check_placement(name, placement, manifest)
            workloads[name] = Workload(
                name=name,
                placement=placement,
                manifest=manifest,
                nodes=chosen,
                replicas=_replicas(placement, manifest),
            )
    if nodes.is_complete:
        for workload in workloads.values():
            manifests.problems += _check_room(workload)
            manifests.problems += check_recreate(workload)
            manifests.problems += _check_node_name(workload, nodes)
        manifests.problems += _check_host_ports(workloads.values())
    return workloads


def _find_manifest(
    placement: Placement, folder: Path, manifests: Manifests
) -> WorkloadManifest | None:
    origin = placement.origin.of("pod")
    path, _, name = placement.pod.partition("#")
    if fault := path_fault(folder, path):
        manifests.problems.append(origin.problem(f"pod: {path!r}: {fault}"))
        return None
    file = str(PurePosixPath(path))
    # Not methods of Path: they raise where a name is too long.
    if file not in manifests.workloads and not os.path.isfile(folder / file):  # noqa: PTH113
        what = "a folder, not a file" if os.path.isdir(folder / file) else "not there"  # noqa: PTH112
        near = nearest(file, manifests.workloads)
        manifests.problems.append(
            origin.problem(f"pod: {file} is {what}", hint=f"did you mean {near}?" if near else "")
        )
        return None
    manifests.read(file)
    found = [one for one in manifests.workloads[file] if not name or one.metadata.name == name]
    if len(found) == 1 or (found and name):
        return found[0]
    if file not in manifests.broken_files:
        manifests.problems.append(_choice_problem(origin, file, name, manifests.workloads[file]))
    return None


def _choice_problem(origin: Origin, file: str, name: str, there: list[WorkloadManifest]) -> Problem:
    names = [one.metadata.name for one in there]
    if not there:
        return origin.problem(f"pod: {file} holds no workload ({_ANY})")
    if name:
        near = nearest(name, names)
        hint = f"did you mean {file}#{near}?" if near else f"it has {', '.join(names)}"
        return origin.problem(f"pod: {file} holds no workload named {name!r}", hint=hint)
    return origin.problem(
        f"pod: {file} holds {len(there)} workloads",
        hint=f"say which: {' or '.join(f'{file}#{one}' for one in names)}",
    )


def _resolve_nodes(
    name: str, placement: Placement, nodes: KnownNodes, problems: list[Problem]
) -> tuple[str, ...]:
    """The names of the nodes that a placement may use, sorted."""
    if not placement.nodes:
        if not nodes.names and nodes.is_complete:
            problems.append(
                placement.origin.problem(
                    f"{name!r} has no node to run on: the cloud has none",
                    hint="add one: skerry node add NAME [USER@]HOST",
                )
            )
        return tuple(nodes.names)
    chosen: set[str] = set()
    for index, pattern in enumerate(placement.nodes):
        if any(sign in pattern for sign in "*?["):
            from fnmatch import fnmatchcase

            matching = [node for node in nodes.names if fnmatchcase(node, pattern)]
            is_missing = not matching and nodes.is_complete
            fault = f"nodes: no node's name matches {pattern!r}"
        else:
            matching = [pattern] if pattern in nodes.names else []
            is_missing = not matching and not nodes.may_be_more and pattern not in nodes.broken
            fault = f"nodes: there is no node {pattern!r}"
        if is_missing:
            near = nearest(pattern, nodes.names)
            problems.append(
                placement.origin.of(f"nodes[{index}]").problem(
                    fault, hint=f"did you mean {near!r}?" if near else ""
                )
            )
        chosen.update(matching)
    return tuple(sorted(chosen))


def _replicas(placement: Placement, manifest: WorkloadManifest) -> int | None:
    """How many replicas are spread over the nodes, or None for one on each node.

    Those of a Job are as many as run at a time, each with its share of the pods.
    """
    if isinstance(manifest, Job):
        return min(manifest.spec.parallelism, manifest.spec.completions or 1)
    if placement.replicas is not None:
        return placement.replicas
    if placement.nodes and isinstance(manifest, Pod | Deployment):
        return None
    if isinstance(manifest, Deployment | StatefulSet):
        return manifest.spec.replicas
    return None if isinstance(manifest, DaemonSet) else 1


def _host_ports(spec: PodSpec) -> list[tuple[int, str, str, Origin]]:
    """The ports that the pod takes on its node: number, protocol, address or "", and the place."""
    found: list[tuple[int, str, str, Origin]] = []
    for port in (port for container in spec.all_containers for port in container.ports):
        number = port.container_port if spec.host_network else port.host_port
        if number is not None:
            found.append((number, port.protocol, port.host_ip or "", port.origin))
    return found


def _check_room(workload: Workload) -> Iterator[Problem]:
    """A node's port can be had once, so replicas that take one need a node each."""
    ports = _host_ports(workload.spec)
    if ports and workload.nodes and (workload.replicas or 0) > len(workload.nodes):
        number, protocol, _, _ = ports[0]
        place = workload.placement.origin.of("replicas")
        yield place.problem(
            f"{workload.replicas} replicas of {workload.name!r} take the node's port "
            f"{number}/{protocol} each: {len(workload.nodes)} nodes have room for "
            f"{len(workload.nodes)}"
        )


def _check_node_name(workload: Workload, nodes: KnownNodes) -> Iterator[Problem]:
    """A pod's `nodeName` is a node of the cloud."""
    name = workload.spec.node_name
    if name is not None and name not in nodes.nodes:
        near = nearest(name, nodes.names)
        yield workload.spec.origin.of("nodeName").problem(
            f"there is no node {name!r}", hint=f"did you mean {near!r}?" if near else ""
        )


def _may_choose(workload: Workload) -> bool:
    """Whether the pod itself says something of the nodes it runs on: then placement decides."""
    spec = workload.spec
    return bool(
        spec.node_name
        or spec.node_selector
        or spec.affinity.node_affinity
        or isinstance(workload.manifest, DaemonSet)
    )


def _check_host_ports(workloads: Iterable[Workload]) -> Iterator[Problem]:
    """Two workloads that are both on a node for certain and take the same port of it."""
    taken: dict[tuple[str, int, str], list[tuple[str, str]]] = {}
    for workload in workloads:
        if _may_choose(workload):
            continue
        if workload.replicas is not None and workload.replicas < len(workload.nodes):
            continue
        for number, protocol, address, _ in _host_ports(workload.spec):
            for node in workload.nodes:
                others = taken.setdefault((node, number, protocol), [])
                for other, its_address in others:
                    if other != workload.name and has_overlap(its_address, address):
                        yield workload.placement.origin.problem(
                            f"{workload.name!r} and {other!r} both take port "
                            f"{number}/{protocol} of node {node!r}"
                        )
                        break
                others.append((workload.name, address))
