"""Volumes whose files are made from objects: configMap, downwardAPI, projected, secret.

Each becomes a list of files, whatever they come from. Sources: Kubernetes "Volumes", "Projected
Volumes", "Downward API".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from posixpath import normpath

import msgspec

from skerry.compile.runtimes.downward import field_value, resource_container, resource_value
from skerry.compile.runtimes.secret_keys import read_secret_keys
from skerry.compile.runtimes.sources import Instance, Sources, contents_of
from skerry.compile.runtimes.values import SecretKey, try_text
from skerry.errors import Problem
from skerry.model.origin import Origin
from skerry.model.volume import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    KeyToPath,
    SecretProjection,
    SecretVolumeSource,
    Volume,
)

DEFAULT_MODE = 0o644


class ProjectedFile(msgspec.Struct, frozen=True):
    """A file of a volume: its path there, what it holds, and its permission bits."""

    path: str
    content: bytes | SecretKey
    mode: int
    origin: Origin


class Entry(msgspec.Struct, frozen=True):
    """A file as a source has it: `mode` is None where the volume decides."""

    path: str
    content: bytes | SecretKey
    mode: int | None
    origin: Origin


def project_volume(
    volume: Volume, instance: Instance, sources: Sources, problems: list[Problem]
) -> tuple[ProjectedFile, ...]:
    """The files of a volume, by path. What is not there, or there twice, goes to `problems`."""
    mode: int | None = None
    entries: list[Entry] = []
    if volume.config_map is not None:
        mode = volume.config_map.default_mode
        entries += _config_map_entries(volume.name, volume.config_map, sources, problems)
    elif volume.secret is not None:
        mode = volume.secret.default_mode
        name = volume.secret.secret_name
        entries += _secret_entries(volume.name, name, volume.secret, sources, problems)
    elif volume.downward_api is not None:
        mode = volume.downward_api.default_mode
        entries += _downward_entries(volume.downward_api.items, instance, sources, problems)
    elif volume.projected is not None:
        mode = volume.projected.default_mode
        for one in volume.projected.sources:
            if one.config_map is not None:
                entries += _config_map_entries(volume.name, one.config_map, sources, problems)
            elif one.secret is not None:
                name = one.secret.name
                entries += _secret_entries(volume.name, name, one.secret, sources, problems)
            elif one.downward_api is not None:
                entries += _downward_entries(one.downward_api.items, instance, sources, problems)
    files = [
        ProjectedFile(
            normpath(entry.path),
            entry.content,
            entry.mode if entry.mode is not None else DEFAULT_MODE if mode is None else mode,
            entry.origin,
        )
        for entry in entries
    ]
    problems += check_paths(volume.name, [(file.path, file.origin) for file in files])
    return tuple(sorted(files, key=lambda file: file.path))


def select_keys(
    contents: Mapping[str, bytes] | Mapping[str, SecretKey],
    items: Iterable[KeyToPath],
    origin: Origin,
) -> Iterator[Entry]:
    """A file for each item whose key is there; without items, one for each key."""
    items = tuple(items)
    if not items:
        for key, content in contents.items():
            yield Entry(key, content, None, origin)
    for item in items:
        if item.key in contents:
            yield Entry(item.path, contents[item.key], item.mode, item.origin)


def check_paths(volume: str, files: Iterable[tuple[str, Origin]]) -> Iterator[Problem]:
    """Two files at one path, or a file where another one needs a folder."""
    files = list(files)
    folders = {folder: path for path, _ in files for folder in _folders_of(path)}
    seen: set[str] = set()
    for path, origin in files:
        if path in seen:
            yield origin.problem(f"volume {volume!r}: two of its files have the path {path!r}")
        elif path in folders:
            yield origin.problem(
                f"volume {volume!r}: {path!r} is a file, and the folder of {folders[path]!r}"
            )
        seen.add(path)


def _config_map_entries(
    volume: str,
    source: ConfigMapVolumeSource | ConfigMapProjection,
    sources: Sources,
    problems: list[Problem],
) -> Iterator[Entry]:
    config_map = sources.config_maps.get(source.name)
    if config_map is None:
        if not source.optional:
            problems.append(
                source.origin.of("name").problem(
                    f"volume {volume!r}: there is no ConfigMap {source.name!r} in the cloud folder",
                    hint="optional: true makes the folder empty",
                )
            )
        return
    contents = contents_of(config_map)
    if not source.optional:
        problems += _missing_keys(volume, f"ConfigMap {source.name!r}", contents, source.items)
    yield from select_keys(contents, source.items, source.origin)


def _secret_entries(
    volume: str,
    name: str,
    source: SecretVolumeSource | SecretProjection,
    sources: Sources,
    problems: list[Problem],
) -> Iterator[Entry]:
    field = "secretName" if isinstance(source, SecretVolumeSource) else "name"
    origin = source.origin.of(field)
    keys = read_secret_keys(name, sources, origin, problems, is_optional=source.optional)
    if keys and not source.optional:
        problems += _missing_keys(volume, f"Secret {name!r}", keys, source.items)
    yield from select_keys(keys, source.items, source.origin)


def _missing_keys(
    volume: str, what: str, keys: Iterable[str], items: Iterable[KeyToPath]
) -> Iterator[Problem]:
    for item in items:
        if item.key not in keys:
            yield item.origin.of("key").problem(
                f"volume {volume!r}: {what} has no key {item.key!r}"
            )


def _downward_entries(
    items: Iterable[DownwardAPIVolumeFile],
    instance: Instance,
    sources: Sources,
    problems: list[Problem],
) -> Iterator[Entry]:
    for item in items:
        text: str | None = None
        if item.field_ref is not None:
            text = try_text(field_value(item.field_ref, instance, sources, problems))
        elif item.resource_field_ref is not None:
            selector = item.resource_field_ref
            container = resource_container(selector, instance.workload.spec, None)
            if container is not None:
                text = resource_value(selector, container, instance, sources, problems)
        if text is not None:
            yield Entry(item.path, text.encode(), item.mode, item.origin)


def _folders_of(path: str) -> Iterator[str]:
    parts = path.split("/")
    for count in range(1, len(parts)):
        yield "/".join(parts[:count])
