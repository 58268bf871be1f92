"""A pod's volumes: what is mounted where, and what must be there before.

Each pod has user ids of its own, other ones after each start. A mount with the option ``idmap``
shows the owners of files as they are on the node (0 is root here and there), which is what
Kubernetes does for pods with user namespaces. It needs crun, or runc 1.2, and Linux 5.12 (5.15
for btrfs, 6.3 for tmpfs). ``z`` lets containers read the folder where SELinux is in force, and
means nothing elsewhere.
"""

from __future__ import annotations

import msgspec

from skerry.compile.runtimes.quadlet import Section, quote_systemd, quote_value
from skerry.compile.runtimes.sources import Instance, OwnedFile, Sources, config_folder
from skerry.errors import Problem
from skerry.model.container import Container, VolumeMount
from skerry.model.pod import PodSpec
from skerry.model.volume import ConfigMapVolumeSource, HostPathVolumeSource, Volume

# Folders of emptyDir volumes. The node removes them with the pod.
VOLUME_FOLDER = "/var/lib/skerry/volumes"
# File systems of the kernel, whose files have no owners that could be mapped.
_KERNEL_FOLDERS = ("/proc", "/sys", "/dev")


class Mounts(msgspec.Struct, frozen=True):
    """A container's mounts: lines for [Container] and [Service], and the config files' paths."""

    container: Section
    service: Section
    files: dict[str, OwnedFile]


def needed_kernel(spec: PodSpec) -> tuple[int, int]:
    """The version of Linux that the pod needs: mounts with mapped owners came with 5.12."""
    has_mapped = spec.has_own_users and any(one.volume_mounts for one in spec.all_containers)
    return (5, 12) if has_mapped else (4, 18)


def empty_dirs(instance: Instance) -> tuple[str, ...]:
    """The folders that live as long as the pod does."""
    return tuple(
        _empty_dir(instance, volume)
        for volume in instance.workload.spec.volumes
        if volume.empty_dir is not None
    )


def compile_mounts(
    instance: Instance, container: Container, sources: Sources, problems: list[Problem]
) -> Mounts:
    """The mounts of one container of a pod."""
    volumes = {volume.name: volume for volume in instance.workload.spec.volumes}
    found = Mounts([], [], {})
    for mount in container.volume_mounts:
        volume = volumes[mount.name]
        if volume.config_map is not None:
            _mount_config_map(instance, mount, volume.config_map, sources, problems, found)
        elif volume.host_path is not None:
            _mount_host_path(instance, mount, volume.host_path, problems, found)
        else:
            path = _empty_dir(instance, volume)
            found.service.append(_make_folder(path, mode="0777"))
            _add(instance, mount, path, ["z"], found)
    return found


def _mount_config_map(
    instance: Instance,
    mount: VolumeMount,
    source: ConfigMapVolumeSource,
    sources: Sources,
    problems: list[Problem],
    found: Mounts,
) -> None:
    if source.name not in sources.config_maps and not source.optional:
        problems.append(
            source.origin.of("name").problem(
                f"volume {mount.name!r}: there is no ConfigMap {source.name!r} in the cloud folder",
                hint="optional: true makes the folder empty",
            )
        )
    path = config_folder(source.name)
    files = sources.config_files(source.name)
    if not files:
        found.service.append(_make_folder(path, mode="0755"))
    found.files.update(files)
    _add(instance, mount, path, ["ro", "z"], found)


def _mount_host_path(
    instance: Instance,
    mount: VolumeMount,
    source: HostPathVolumeSource,
    problems: list[Problem],
    found: Mounts,
) -> None:
    if ":" in source.path:
        problems.append(
            source.origin.of("path").problem("a host path with ':' in it cannot be mounted")
        )
    if source.type == "DirectoryOrCreate":
        found.service.append(_make_folder(source.path, mode="0755"))
    elif source.type == "Directory":
        found.service.append(_check("-d", source.path, "no folder"))
    elif source.type == "File":
        found.service.append(_check("-f", source.path, "no file"))
    _add(instance, mount, source.path, ["ro"] if mount.read_only else [], found)


def _add(
    instance: Instance, mount: VolumeMount, source: str, options: list[str], found: Mounts
) -> None:
    is_kernels = any(f"{source}/".startswith(f"{folder}/") for folder in _KERNEL_FOLDERS)
    if mount.read_only and "ro" not in options:
        options = ["ro", *options]
    if instance.workload.spec.has_own_users and not is_kernels:
        options = [*options, "idmap"]
    words = [source, mount.mount_path, ",".join(options or ["rw"])]
    found.container.append(("Volume", quote_value(":".join(words))))


def _empty_dir(instance: Instance, volume: Volume) -> str:
    return f"{VOLUME_FOLDER}/{instance.name}.{volume.name}"


def _make_folder(path: str, *, mode: str) -> tuple[str, str]:
    # What is there already keeps its mode: the pod may have changed it.
    return "ExecStartPre", f"/usr/bin/mkdir -p -m {mode} -- {quote_systemd(path)}"


def _check(test: str, path: str, fault: str) -> tuple[str, str]:
    script = f'[ {test} "$1" ] || {{ echo "hostPath $1: {fault} there" >&2; exit 1; }}'
    words = ("/bin/sh", "-c", script, "sh", path)
    return "ExecStartPre", " ".join(map(quote_systemd, words))
