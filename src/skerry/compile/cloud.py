"""The whole cloud to a tree per node."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from skerry.compile.claims import NodeClaims
from skerry.compile.lock import Lock
from skerry.compile.placement.place_cloud import Placements, place_cloud
from skerry.compile.rolling.revision import revision_of, set_pace
from skerry.compile.rolling.strategy import why_not_beside
from skerry.compile.runtimes.environment import has_node_fields
from skerry.compile.runtimes.init import needed_systemd
from skerry.compile.runtimes.kind import emit_kind, needed_for_kind
from skerry.compile.runtimes.mounts import needed_kernel
from skerry.compile.runtimes.pod import needed_podman
from skerry.compile.runtimes.probes import needed_probe_programs
from skerry.compile.runtimes.sources import Emitted, Instance, Sources
from skerry.compile.runtimes.stateful import replica_workload
from skerry.compile.secrets import KnownSecrets
from skerry.compile.services import with_node_ports
from skerry.compile.tree import Needs, Tree
from skerry.errors import CloudInvalid, Problem
from skerry.model.cloud import Cloud, Workload


def compile_cloud(
    cloud: Cloud,
    lock: Lock,
    only: Collection[str] | None = None,
    placements: Placements | None = None,
    secrets: KnownSecrets | None = None,
) -> dict[str, Tree]:
    """The desired tree of every node, or of those in `only`; an empty one where nothing runs.

    Placement looks at all nodes of the cloud whatever `only` says; `placements` is its result,
    where that is known. Without `secrets` everything is checked, but the trees' secrets have no
    values. Raises `CloudInvalid` with all problems: a workload that has no room, an image that is
    not resolved, a path, unit or port of a node that two want, a ConfigMap that is not there.
    """
    lock = with_node_ports(cloud, lock)
    if placements is None:
        placements = place_cloud(cloud, lock)
    names = [name for name in cloud.nodes if only is None or name in only]
    claims = {name: NodeClaims(cloud.name, name) for name in names}
    sources = Sources(cloud, msgspec.structs.replace(lock, claims=placements.claims), secrets)
    problems = list(placements.problems)
    for workload in cloud.workloads.values():
        emitted: dict[tuple[int, str], tuple[Instance, Emitted]] = {}
        is_per_node = has_node_fields(workload.spec)
        for node, ordinals in placements.of(workload.name).items():
            if node not in claims:
                continue
            for ordinal in ordinals:
                key = ordinal, node if is_per_node else ""
                if key not in emitted:
                    instance = Instance(
                        cloud=cloud.name,
                        workload=replica_workload(workload, ordinal),
                        ordinal=ordinal,
                        node=key[1],
                    )
                    emitted[key] = emit_instance(instance, sources, problems)
                problems += claims[node].add(*emitted[key], sources)
                claims[node].tree.needs[workload.name] = needs_of(workload, lock)
    if problems:
        unique = dict.fromkeys(problems)
        raise CloudInvalid(sorted(unique, key=lambda one: (one.file, one.line, one.column)))
    return {name: claims[name].tree for name in names}


def emit_instance(
    instance: Instance, sources: Sources, problems: list[Problem]
) -> tuple[Instance, Emitted]:
    """What a replica adds to its node; where two versions of it may run there, with a revision."""
    emitted = emit_kind(instance, sources, problems)
    if not why_not_beside(instance.workload, sources.cloud):
        instance = msgspec.structs.replace(instance, revision=revision_of(emitted))
        # Its problems are the same ones again.
        emitted = emit_kind(instance, sources, [])
    set_pace(emitted, instance.workload)
    return instance, emitted


def needs_of(workload: Workload, lock: Lock) -> Needs:
    """What the workload asks of its nodes."""
    spec = workload.spec
    images = {container.image for container in spec.all_containers}
    return Needs(
        workload=workload.name,
        podman=needed_podman(spec),
        kernel=needed_kernel(spec),
        systemd=max(needed_systemd(spec), needed_for_kind(workload)),
        programs=needed_probe_programs(spec),
        architectures=tuple(
            sorted({lock.images[image].architecture for image in images if image in lock.images})
        ),
    )
