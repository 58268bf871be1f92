"""Volumes of pods: where files come from (Kubernetes core/v1)."""

from __future__ import annotations

from typing import Literal

import msgspec

from skerry.model.metadata import DnsLabel, DnsSubdomain
from skerry.model.origin import Located
from skerry.model.words import AbsolutePath, FileMode, Quantity, RelativePath


class KeyToPath(Located, frozen=True, kw_only=True):
    """One key of a ConfigMap or Secret as a file at `path` in the volume."""

    key: str
    path: RelativePath
    mode: FileMode | None = None


class ConfigMapVolumeSource(Located, frozen=True, kw_only=True):
    """A ConfigMap as a folder: a file per key, or per item where there are `items`."""

    name: DnsSubdomain
    items: tuple[KeyToPath, ...] = ()
    default_mode: FileMode | None = None
    optional: bool = False


class SecretVolumeSource(Located, frozen=True, kw_only=True):
    """A Secret as a folder: a file per key, or per item where there are `items`."""

    secret_name: DnsSubdomain
    items: tuple[KeyToPath, ...] = ()
    default_mode: FileMode | None = None
    optional: bool = False


class ObjectFieldSelector(Located, frozen=True, kw_only=True):
    """A field of the pod, such as ``metadata.name`` or ``metadata.labels['app']``.

    ``metadata.name`` is unique in the cloud, and stays when the pod is replaced: the workload's
    name for a Pod that is placed once, ``NAME-ORDINAL`` for replicas of a StatefulSet and runs of
    a Job, ``NAME-NODE-ORDINAL`` for all others. ``status.podIP`` gives a pod of one container a
    unit of its own, as its network has to be up before. A file of a volume can be
    ``metadata.name``, ``metadata.namespace``, labels and annotations.
    """

    field_path: str
    api_version: Literal["v1"] = "v1"


class ResourceFieldSelector(Located, frozen=True, kw_only=True):
    """An amount that a container asks for or may use at most, in units of `divisor`, rounded up.

    A limit that is not set is what the node has for pods, as it was last seen.
    """

    resource: Literal["limits.cpu", "limits.memory", "requests.cpu", "requests.memory"]
    container_name: DnsLabel | None = None
    divisor: Quantity = "1"


class DownwardAPIVolumeFile(Located, frozen=True, kw_only=True):
    """A file whose content is a field of the pod or an amount of a container."""

    path: RelativePath
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: FileMode | None = None


class DownwardAPIVolumeSource(Located, frozen=True, kw_only=True):
    """Facts about the pod as files."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: FileMode | None = None


class ConfigMapProjection(Located, frozen=True, kw_only=True):
    """Keys of a ConfigMap in a projected volume."""

    name: DnsSubdomain
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class SecretProjection(Located, frozen=True, kw_only=True):
    """Keys of a Secret in a projected volume."""

    name: DnsSubdomain
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class DownwardAPIProjection(Located, frozen=True, kw_only=True):
    """Facts about the pod in a projected volume."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()


class VolumeProjection(Located, frozen=True, kw_only=True):
    """One source of a projected volume: exactly one of these is given."""

    config_map: ConfigMapProjection | None = None
    secret: SecretProjection | None = None
    downward_api: DownwardAPIProjection | None = msgspec.field(name="downwardAPI", default=None)


class ProjectedVolumeSource(Located, frozen=True, kw_only=True):
    """Several sources in one folder."""

    sources: tuple[VolumeProjection, ...] = ()
    default_mode: FileMode | None = None


class EmptyDirVolumeSource(Located, frozen=True, kw_only=True):
    """A folder that is empty when the pod is made and goes with it.

    With the medium ``Memory`` it is a tmpfs of the node, which outlives its containers;
    `size_limit` bounds it, in bytes as a quantity, and so do the memory limits of the containers,
    where all have one. Without that medium it is a folder, which nothing bounds: `size_limit` is
    refused.
    """

    medium: Literal["", "Memory"] = ""
    size_limit: Quantity | None = None


class HostPathVolumeSource(Located, frozen=True, kw_only=True):
    """A path of the node; `type` says what must be there, or is made.

    A device is usable only with its type given.
    """

    path: AbsolutePath
    type: Literal[
        "",
        "DirectoryOrCreate",
        "Directory",
        "FileOrCreate",
        "File",
        "Socket",
        "CharDevice",
        "BlockDevice",
    ] = ""


class PersistentVolumeClaimVolumeSource(Located, frozen=True, kw_only=True):
    """A PersistentVolumeClaim by its name: a folder of the node that outlives the pod."""

    claim_name: DnsSubdomain
    read_only: bool = False


class Volume(Located, frozen=True, kw_only=True):
    """A volume of a pod: exactly one of its sources is given."""

    name: DnsLabel
    config_map: ConfigMapVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = msgspec.field(name="downwardAPI", default=None)
