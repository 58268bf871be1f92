"""Folders that pods write to: emptyDir, persistentVolumeClaim, hostPath, and what makes them.

They are made when the pod starts, by lines of its unit. Sources: Kubernetes "Volumes", "Configure
a Security Context" (fsGroup); systemd.service(5), tmpfs(5).
"""

from __future__ import annotations

from collections.abc import Iterator

from skerry.compile.runtimes.quadlet import Section, quote_systemd
from skerry.compile.runtimes.sources import Instance
from skerry.model.pod import PodSpec
from skerry.model.quantity import parse_memory
from skerry.model.volume import EmptyDirVolumeSource, HostPathVolumeSource, Volume

# Folders that live as long as their pod. The node removes them with it.
VOLUME_FOLDER = "/var/lib/skerry/volumes"
# Folders of claims. Nobody removes them but a person.
CLAIM_FOLDER = "/var/lib/skerry/claims"
# Nothing is ever in it: what is seen of a volume that has no files.
EMPTY_FOLDER = "/var/lib/skerry/empty"
DEVICE_TYPES = ("CharDevice", "BlockDevice")

# `$1` is the folder. What is there already keeps its mode: the pod may have changed it.
_MOUNT_TMPFS = (
    'mountpoint -q -- "$1" || { mkdir -p -m 0777 -- "$1" && mount -t tmpfs -o "$2" skerry "$1"; }'
)
# What Kubernetes does for fsGroup, `$2`: the group owns all, and what is new gets it too. Only
# what differs is touched, so a large folder costs a walk.
_GIVE_TO_GROUP = (
    'find "$1" ! -gid "$2" -execdir chgrp -h -- "$2" {} + && '
    'find "$1" -type d ! -perm -2770 -execdir chmod -- ug+rwx,g+s {} + && '
    'find "$1" ! -type d ! -type l ! -perm -0660 -execdir chmod -- ug+rw {} +'
)
# `$1` is the folder of the volume, `$2` the path in it. A container may have put a link there.
_MAKE_SUB_PATH = (
    'v=$(realpath -- "$1") && p=$(realpath -m -- "$1/$2") || exit; case "$p/" in "$v"/*) ;; '
    '*) echo "subPath $2 leads out of its volume: $p" >&2; exit 1;; esac; '
    '[ -e "$p" ] || { mkdir -p -- "$p" && chown --reference="$v" -- "$p" && '
    'chmod --reference="$v" -- "$p"; }'
)
_MAKE_FILE = '[ -e "$1" ] || install -m 0644 -- /dev/null "$1"'
_CHECKS = {
    "Directory": ("-d", "no folder"),
    "FileOrCreate": ("-f", "no file"),
    "File": ("-f", "no file"),
    "Socket": ("-S", "no socket"),
    "CharDevice": ("-c", "no character device"),
    "BlockDevice": ("-b", "no block device"),
}


def pod_folders(instance: Instance) -> tuple[str, ...]:
    """The folders that live as long as the pod does."""
    return tuple(
        volume_folder(instance, volume)
        for volume in instance.workload.spec.volumes
        if volume.empty_dir is not None
    )


def claim_folders(instance: Instance) -> tuple[str, ...]:
    """The folders of the claims that the pod uses, sorted."""
    claims = {
        volume.persistent_volume_claim.claim_name
        for volume in instance.workload.spec.volumes
        if volume.persistent_volume_claim is not None
    }
    return tuple(claim_folder(name) for name in sorted(claims))


def volume_folder(instance: Instance, volume: Volume) -> str:
    """The folder of a volume that lives as long as its pod."""
    return f"{VOLUME_FOLDER}/{instance.name}.{volume.name}"


def claim_folder(name: str) -> str:
    """The folder of a PersistentVolumeClaim on its node."""
    return f"{CLAIM_FOLDER}/{name}"


def compile_storage(instance: Instance) -> Section:
    """What makes the pod's own folders: for [Service] of the unit that the pod begins with."""
    spec = instance.workload.spec
    lines: Section = []
    for volume in spec.volumes:
        if volume.empty_dir is not None:
            path = volume_folder(instance, volume)
            if volume.empty_dir.medium == "Memory":
                options = _tmpfs_options(spec, volume.empty_dir)
                lines.append(run_before(_MOUNT_TMPFS, path, options))
            else:
                lines.append(make_folder(path, mode="0777"))
        elif volume.persistent_volume_claim is not None:
            path = claim_folder(volume.persistent_volume_claim.claim_name)
            # Kubernetes leaves it to the provisioner; those for local folders do this too.
            lines.append(make_folder(path, mode="0777"))
        else:
            continue
        if spec.security_context.fs_group is not None:
            lines.append(run_before(_GIVE_TO_GROUP, path, str(spec.security_context.fs_group)))
    return lines


def compile_host_path(source: HostPathVolumeSource) -> Iterator[tuple[str, str]]:
    """What makes a path of the node, or says that it is not there."""
    if source.type == "DirectoryOrCreate":
        yield make_folder(source.path, mode="0755")
    elif source.type == "FileOrCreate":
        yield run_before(_MAKE_FILE, source.path)
    if source.type in _CHECKS:
        test, fault = _CHECKS[source.type]
        script = f'[ {test} "$1" ] || {{ echo "hostPath $1: {fault} there" >&2; exit 1; }}'
        yield run_before(script, source.path)


def make_sub_path(folder: str, sub_path: str) -> tuple[str, str]:
    """What makes a path in a volume, and refuses one that leads out of it."""
    return run_before(_MAKE_SUB_PATH, folder, sub_path)


def make_folder(path: str, *, mode: str) -> tuple[str, str]:
    """What makes a folder; one that is there keeps its mode."""
    return "ExecStartPre", f"/usr/bin/mkdir -p -m {mode} -- {quote_systemd(path)}"


def run_before(script: str, *words: str) -> tuple[str, str]:
    """A shell script that runs before the container is made, with ``$1`` and so on."""
    return "ExecStartPre", " ".join(map(quote_systemd, ("/bin/sh", "-c", script, "sh", *words)))


def _tmpfs_options(spec: PodSpec, source: EmptyDirVolumeSource) -> str:
    """Its size is the limit, or the memory of all containers if that is less and bounded.

    Linux' own default is half of the node's memory.
    """
    limits = [container.resources.limits.memory for container in spec.containers]
    # 0 is no limit, to Kubernetes and to tmpfs.
    size = parse_memory(source.size_limit or 0)
    bounds = [size] if size else []
    if all(limit is not None for limit in limits):
        bounds.append(sum(parse_memory(limit) for limit in limits if limit is not None))
    sized = [f"size={min(bounds)}"] if bounds else []
    return ",".join([*sized, "mode=0777", "nosuid", "nodev"])
