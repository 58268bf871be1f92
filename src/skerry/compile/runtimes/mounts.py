"""A container's mounts: what is mounted where, and what must be there before.

Each pod has user ids of its own, other ones after each start. A mount with the option ``idmap``
shows the owners of files as they are on the node (0 is root here and there), which is what
Kubernetes does for pods with user namespaces. It needs crun, or runc 1.2, and Linux 5.12 (5.15
for btrfs, 6.3 for tmpfs). ``z`` lets containers read the folder where SELinux is in force, and
means nothing elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import normpath

import msgspec

from skerry.compile.runtimes.projection import (
    DEFAULT_MODE,
    ProjectedFile,
    project_volume,
)
from skerry.compile.runtimes.quadlet import Section, quote_value, quote_word
from skerry.compile.runtimes.secrets import SecretFile
from skerry.compile.runtimes.sources import Instance, OwnedFile, Sources, config_folder
from skerry.compile.runtimes.storage import (
    DEVICE_TYPES,
    EMPTY_FOLDER,
    claim_folder,
    compile_host_path,
    make_folder,
    make_sub_path,
    volume_folder,
)
from skerry.compile.runtimes.values import SecretKey
from skerry.compile.tree import File
from skerry.errors import Problem
from skerry.model.container import Container, VolumeMount
from skerry.model.pod import PodSpec
from skerry.model.volume import HostPathVolumeSource, Volume

# Files made for one pod alone, a folder for each pod and one for each of its volumes.
POD_FOLDER = "/etc/skerry/pods"
# File systems of the kernel, whose files have no owners that could be mapped.
_KERNEL_FOLDERS = ("/proc", "/sys", "/dev")
# File systems in memory on every node.
_TMPFS_FOLDERS = ("/run", "/var/run")


class Mounts(msgspec.Struct, frozen=True):
    """A container's mounts: lines for [Container] and [Service], and the files' paths.

    `secrets` are mounted over empty files of these mounts.
    """

    container: Section
    service: Section
    files: dict[str, OwnedFile]
    secrets: list[SecretFile]


class Folder(msgspec.Struct, frozen=True):
    """Where a projected volume lies on the node, the paths in it, and its files.

    At the paths of `secrets` are empty files, to mount the values at.
    """

    path: str
    paths: tuple[str, ...]
    owned: dict[str, OwnedFile]
    secrets: tuple[ProjectedFile, ...] = ()


def needed_kernel(spec: PodSpec) -> tuple[int, int]:
    """The version of Linux that the pod needs: mounts with mapped owners came with 5.12."""
    mounted = {mount.name for one in spec.all_containers for mount in one.volume_mounts}
    if not spec.has_own_users or not mounted:
        return (4, 18)
    is_in_memory = any(_is_in_memory(volume) for volume in spec.volumes if volume.name in mounted)
    return (6, 3) if is_in_memory else (5, 12)


def compile_mounts(
    instance: Instance, container: Container, sources: Sources, problems: list[Problem]
) -> Mounts:
    """The mounts of one container of a pod."""
    volumes = {volume.name: volume for volume in instance.workload.spec.volumes}
    found = Mounts([], [], {}, [])
    for mount in container.volume_mounts:
        volume = volumes[mount.name]
        if volume.host_path is not None:
            _mount_host_path(instance, mount, volume.host_path, problems, found)
        elif volume.persistent_volume_claim is not None:
            claim = volume.persistent_volume_claim
            options = ["ro"] if claim.read_only else []
            _mount_folder(instance, mount, claim_folder(claim.claim_name), options, found)
        elif volume.empty_dir is not None:
            _mount_folder(instance, mount, volume_folder(instance, volume), [], found)
        else:
            _mount_projected(instance, mount, volume, sources, problems, found)
    return found


def compile_folder(
    instance: Instance, volume: Volume, sources: Sources, problems: list[Problem]
) -> Folder:
    """The files of a projected volume and where they lie.

    A whole ConfigMap lies in a folder that all share. What only this pod has, because of its
    paths, modes or group, lies in a folder of its own.
    """
    group = instance.workload.spec.security_context.fs_group
    plain = volume.config_map
    if (
        plain is not None
        and not plain.items
        and plain.default_mode in (None, DEFAULT_MODE)
        and group is None
        and (owned := sources.config_files(plain.name))
    ):
        folder = config_folder(plain.name)
        return Folder(folder, tuple(path.removeprefix(f"{folder}/") for path in owned), owned)
    files = project_volume(volume, instance, sources, problems)
    path = f"{POD_FOLDER}/{instance.name}/{volume.name}"
    owner = f"workload {instance.workload.name}"
    return Folder(
        path if files else EMPTY_FOLDER,
        tuple(file.path for file in files),
        {f"{path}/{file.path}": OwnedFile(_file_of(file, group), owner) for file in files},
        tuple(file for file in files if isinstance(file.content, SecretKey)),
    )


def _file_of(file: ProjectedFile, group: int | None) -> File:
    content = b"" if isinstance(file.content, SecretKey) else file.content
    if group is None:
        return File(content, file.mode)
    # As Kubernetes has it for volumes that cannot be written.
    return File(content, file.mode | 0o440, f"root:{group}")


def _mount_projected(
    instance: Instance,
    mount: VolumeMount,
    volume: Volume,
    sources: Sources,
    problems: list[Problem],
    found: Mounts,
) -> None:
    folder = compile_folder(instance, volume, sources, problems)
    sub_path = _sub_path(mount)
    if not folder.paths:
        # An empty volume has no file to be mounted, and the image's own is seen.
        if not sub_path:
            found.service.append(make_folder(folder.path, mode="0755"))
            _add(instance, mount, folder.path, ["ro", "z"], found)
        return
    found.files.update(folder.owned)
    if sub_path and not any(_try_within(path, sub_path) is not None for path in folder.paths):
        problems.append(
            mount.origin.of("subPath").problem(
                f"volume {volume.name!r} has nothing at {sub_path!r}",
                hint=f"it has {', '.join(folder.paths)}",
            )
        )
    if not any(file.path == sub_path for file in folder.secrets):
        _add(instance, mount, _join(folder.path, sub_path), ["ro", "z"], found)
    for file in folder.secrets:
        within = _try_within(file.path, sub_path)
        if within is not None and isinstance(file.content, SecretKey):
            target = _join(mount.mount_path.rstrip("/"), within)
            group = instance.workload.spec.security_context.fs_group
            mode = file.mode if group is None else file.mode | 0o440
            found.secrets.append(SecretFile(target, file.content, mode, group or 0, file.origin))


def _mount_folder(
    instance: Instance, mount: VolumeMount, path: str, options: list[str], found: Mounts
) -> None:
    sub_path = _sub_path(mount)
    if sub_path:
        found.service.append(make_sub_path(path, sub_path))
    _add(instance, mount, _join(path, sub_path), [*options, "z"], found)


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
    found.service.extend(compile_host_path(source))
    if source.type in DEVICE_TYPES:
        # Not a mount: those of devices cannot be opened. crun gives it the owner and mode that it
        # has on the node.
        rights = "r" if mount.read_only else "rwm"
        word = quote_word(f"--device={source.path}:{mount.mount_path}:{rights}")
        found.container.append(("PodmanArgs", word))
        return
    sub_path = _sub_path(mount)
    if sub_path:
        found.service.append(make_sub_path(source.path, sub_path))
    _add(instance, mount, _join(source.path, sub_path), [], found)


def _add(
    instance: Instance, mount: VolumeMount, source: str, options: list[str], found: Mounts
) -> None:
    if mount.read_only and "ro" not in options:
        options = ["ro", *options]
    if instance.workload.spec.has_own_users and not _is_below(source, _KERNEL_FOLDERS):
        options = [*options, "idmap"]
    words = [source, mount.mount_path, ",".join(options or ["rw"])]
    found.container.append(("Volume", quote_value(":".join(words))))


def _is_in_memory(volume: Volume) -> bool:
    if volume.host_path is not None:
        return _is_below(volume.host_path.path, _TMPFS_FOLDERS)
    return volume.empty_dir is not None and volume.empty_dir.medium == "Memory"


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for folder in folders)


def _try_within(path: str, sub_path: str) -> str | None:
    """A path of the volume as seen from `sub_path`: "" for itself, None where it is not in it."""
    if not sub_path:
        return path
    if path == sub_path:
        return ""
    return path.removeprefix(f"{sub_path}/") if path.startswith(f"{sub_path}/") else None


def _sub_path(mount: VolumeMount) -> str:
    """The path in the volume, or "" for all of it."""
    path = normpath(mount.sub_path or ".")
    return "" if path == "." else path


def _join(folder: str, path: str) -> str:
    return f"{folder}/{path}" if path else folder
