"""The volumes of a pod in themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from posixpath import normpath

from skerry.errors import Problem
from skerry.load.checks.environment import check_field, check_resource
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec
from skerry.model.volume import (
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    KeyToPath,
    ProjectedVolumeSource,
    Volume,
)


def check_volume(volume: Volume, spec: PodSpec) -> Iterator[Problem]:
    """Exactly one source, which is one that can be honoured."""
    sources = {
        "configMap": volume.config_map,
        "secret": volume.secret,
        "emptyDir": volume.empty_dir,
        "hostPath": volume.host_path,
        "persistentVolumeClaim": volume.persistent_volume_claim,
        "projected": volume.projected,
        "downwardAPI": volume.downward_api,
    }
    given = [name for name, source in sources.items() if source is not None]
    if not given:
        yield volume.origin.problem(
            f"volume {volume.name!r} has no source",
            hint="give one of configMap, secret, emptyDir: {}, hostPath and persistentVolumeClaim",
        )
    elif len(given) > 1:
        yield volume.origin.of(given[1]).problem(
            f"volume {volume.name!r} has more than one source: {' and '.join(given)}"
        )
    if volume.host_path is not None and ".." in volume.host_path.path.split("/"):
        yield volume.host_path.origin.of("path").problem("a host path has no '..' in it")
    if volume.empty_dir is not None:
        yield from _check_empty_dir(volume.empty_dir)
    if volume.config_map is not None:
        yield from _check_paths(volume.name, volume.config_map.items)
    if volume.secret is not None:
        yield from _check_paths(volume.name, volume.secret.items)
    if volume.downward_api is not None:
        yield from _check_paths(volume.name, volume.downward_api.items)
        yield from _check_downward(volume.downward_api.items, spec)
    if volume.projected is not None:
        yield from _check_projected(volume.name, volume.projected, spec)


def check_device_mounts(spec: PodSpec) -> Iterator[Problem]:
    """A device is one file: there is nothing below it to be mounted."""
    devices = {
        volume.name
        for volume in spec.volumes
        if volume.host_path is not None and volume.host_path.type in ("CharDevice", "BlockDevice")
    }
    for container in spec.all_containers:
        for mount in container.volume_mounts:
            if mount.name in devices and normpath(mount.sub_path or ".") != ".":
                yield mount.origin.of("subPath").problem(
                    f"volume {mount.name!r} is a device: it has no paths in it",
                    hint="leave subPath out",
                )


def _check_empty_dir(source: EmptyDirVolumeSource) -> Iterator[Problem]:
    if source.size_limit is not None and source.medium != "Memory":
        # A limit that is not one is worse than none: the disk of the node would fill up.
        yield source.origin.of("sizeLimit").problem(
            "sizeLimit is honoured with `medium: Memory` only: the folder is on the node's file "
            "system, which has no limit for one folder",
            hint="leave it out, or add `medium: Memory`",
        )


def _check_projected(
    name: str, projected: ProjectedVolumeSource, spec: PodSpec
) -> Iterator[Problem]:
    items: list[KeyToPath | DownwardAPIVolumeFile] = []
    for one in projected.sources:
        sources = {
            "configMap": one.config_map,
            "secret": one.secret,
            "downwardAPI": one.downward_api,
        }
        given = [kind for kind, source in sources.items() if source is not None]
        if len(given) != 1:
            yield one.origin.problem(
                f"volume {name!r}: a projected source is one of configMap, secret and "
                f"downwardAPI, not {' and '.join(given) or 'nothing'}"
            )
        for source in (one.config_map, one.secret, one.downward_api):
            items += source.items if source is not None else ()
        if one.downward_api is not None:
            yield from _check_downward(one.downward_api.items, spec)
    yield from _check_paths(name, items)


def _check_downward(items: Iterable[DownwardAPIVolumeFile], spec: PodSpec) -> Iterator[Problem]:
    for item in items:
        if (item.field_ref is None) == (item.resource_field_ref is None):
            many = "neither" if item.field_ref is None else "both"
            yield item.origin.problem(
                f"the file {item.path!r} has {many} of fieldRef and resourceFieldRef: it has one"
            )
        if item.field_ref is not None:
            yield from check_field(item.field_ref, is_file=True)
        if item.resource_field_ref is not None:
            yield from check_resource(item.resource_field_ref, spec, None)


def _check_paths(
    volume: str, items: Iterable[KeyToPath | DownwardAPIVolumeFile]
) -> Iterator[Problem]:
    """Paths that are given and name a file, and none twice."""
    first: dict[str, Origin] = {}
    for item in items:
        path = normpath(item.path)
        if path == ".":
            yield item.origin.of("path").problem(f"{item.path!r} is the volume itself, not a file")
        elif path in first:
            yield item.origin.of("path").problem(
                f"volume {volume!r}: two of its files have the path {path!r}, "
                f"the first in line {first[path].line}"
            )
        first.setdefault(path, item.origin)
