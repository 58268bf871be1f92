"""What pods refer to by name: whether it is in the cloud folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from skerry.errors import Problem
from skerry.load.manifest import Manifests
from skerry.load.unknown import nearest
from skerry.model.cloud import pod_of
from skerry.model.container import Container
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec
from skerry.model.volume import ConfigMapProjection, ConfigMapVolumeSource, Volume


class Reference(msgspec.Struct, frozen=True):
    """A name that must be there, and the key in it or ""; `is_text` says that only text will do.

    `origin` is the place of the mapping with the name, `field` what the key is called there.
    """

    name: str
    origin: Origin
    key: str = ""
    key_origin: Origin = Origin()
    is_text: bool = False


def check_references(manifests: Manifests) -> None:
    """Notes every reference to a ConfigMap, a key of one, or a claim that is not there."""
    for manifest in (one for several in manifests.workloads.values() for one in several):
        spec = pod_of(manifest)[1]
        for reference in _config_map_references(spec):
            manifests.problems += _check_config_map(reference, manifests)
        for volume in spec.volumes:
            source = volume.persistent_volume_claim
            if source is not None and source.claim_name not in manifests.claims:
                kind = "PersistentVolumeClaim"
                if not manifests.is_broken(kind, source.claim_name):
                    manifests.problems.append(
                        missing(
                            kind,
                            source.claim_name,
                            source.origin.of("claimName"),
                            manifests.claims,
                        )
                    )


def missing(kind: str, name: str, origin: Origin, there: Iterable[str]) -> Problem:
    """The problem of a name that is not there, with the nearest one that is."""
    near = nearest(name, there)
    return origin.problem(
        f"there is no {kind} {name!r} in the cloud folder",
        hint=f"did you mean {near!r}?" if near else "",
    )


def _check_config_map(reference: Reference, manifests: Manifests) -> Iterator[Problem]:
    name, key = reference.name, reference.key
    config_map = manifests.config_maps.get(name)
    if config_map is None:
        if not manifests.is_broken("ConfigMap", name):
            yield missing("ConfigMap", name, reference.origin.of("name"), manifests.config_maps)
        return
    keys = [*config_map.data, *([] if reference.is_text else config_map.binary_data)]
    if not key or key in keys:
        return
    if key in config_map.binary_data:
        yield reference.key_origin.problem(
            f"the key {key!r} of ConfigMap {name!r} is binary and cannot be a variable"
        )
        return
    near = nearest(key, keys)
    yield reference.key_origin.problem(
        f"ConfigMap {name!r} has no key {key!r}", hint=f"did you mean {near!r}?" if near else ""
    )


def _config_map_references(spec: PodSpec) -> Iterator[Reference]:
    for volume in spec.volumes:
        for source in _config_map_sources(volume):
            if source.optional:
                continue
            yield Reference(source.name, source.origin)
            for item in source.items:
                yield Reference(source.name, source.origin, item.key, item.origin.of("key"))
    for container in spec.all_containers:
        yield from _environment_references(container)


def _config_map_sources(
    volume: Volume,
) -> Iterator[ConfigMapVolumeSource | ConfigMapProjection]:
    if volume.config_map is not None:
        yield volume.config_map
    for one in volume.projected.sources if volume.projected is not None else ():
        if one.config_map is not None:
            yield one.config_map


def _environment_references(container: Container) -> Iterator[Reference]:
    for variable in container.env:
        if variable.value_from is not None:
            selector = variable.value_from.config_map_key_ref
            if selector is not None and not selector.optional:
                origin = selector.origin
                yield Reference(selector.name, origin, selector.key, origin.of("key"), is_text=True)
    for source in container.env_from:
        reference = source.config_map_ref
        if reference is not None and not reference.optional:
            yield Reference(reference.name, reference.origin)
