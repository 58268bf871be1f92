"""Pod: one or more containers that share a network and live and die together on one node.

Field names and meanings are those of the Kubernetes API, core/v1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.metadata import DnsLabel, DnsSubdomain, Metadata, TemplateMetadata
from skerry.model.origin import Located
from skerry.model.quantity import QUANTITY_PATTERN

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
AbsolutePath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^/[^\x00-\x1f\x7f]*$",
        description="an absolute path, one that begins with '/' (no control characters)",
    ),
]
MountPath = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^/[^:\x00-\x1f\x7f]*$",
        description="an absolute path, one that begins with '/' (no ':', no control characters)",
    ),
]
Quantity = (
    Annotated[
        str,
        msgspec.Meta(
            pattern=QUANTITY_PATTERN, description="a quantity such as 64Mi, 1.5Gi, 0.5 or 250m"
        ),
    ]
    | Annotated[int, msgspec.Meta(ge=0)]
    | Annotated[float, msgspec.Meta(ge=0)]
)
EnvName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$",
        description="a variable's name: letters, digits, '-', '_' and '.', no digit first",
    ),
]
ImageName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/:@]*$",
        max_length=512,
        description="an image's name such as localhost/web:1.2",
    ),
]
IpAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9.]{7,15}$|^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$",
        description="an IP address such as 127.0.0.1 or ::1",
    ),
]

RestartPolicy = Literal["Always", "OnFailure", "Never"]
Protocol = Literal["TCP", "UDP"]


class ConfigMapKeySelector(Located, frozen=True, kw_only=True):
    """One key of a ConfigMap."""

    name: DnsSubdomain
    key: str
    optional: bool = False


class EnvVarSource(Located, frozen=True, kw_only=True):
    """Where a variable's value comes from."""

    config_map_key_ref: ConfigMapKeySelector


class EnvVar(Located, frozen=True, kw_only=True):
    """An environment variable: a value or the source of one; with neither it is empty."""

    name: EnvName
    value: str | None = None
    value_from: EnvVarSource | None = None


class ContainerPort(Located, frozen=True, kw_only=True):
    """A port that the container listens on; with `host_port`, one of the node leads to it."""

    container_port: Port
    host_port: Port | None = None
    host_ip: IpAddress | None = msgspec.field(name="hostIP", default=None)
    protocol: Protocol = "TCP"
    name: DnsLabel | None = None


class VolumeMount(Located, frozen=True, kw_only=True):
    """A volume of the pod, seen in a container at `mount_path`."""

    name: DnsLabel
    mount_path: MountPath
    read_only: bool = False


class ResourceList(Located, frozen=True, kw_only=True):
    """Amounts: CPU in cores, memory in bytes, both as Kubernetes quantities."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class Resources(Located, frozen=True, kw_only=True):
    """What a container may use at most."""

    limits: ResourceList = ResourceList()


class Container(Located, frozen=True, kw_only=True):
    """One container of a pod."""

    name: DnsLabel
    image: ImageName
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: AbsolutePath | None = None
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    resources: Resources = Resources()
    image_pull_policy: Literal["IfNotPresent", "Never"] = "IfNotPresent"


class ConfigMapVolumeSource(Located, frozen=True, kw_only=True):
    """A ConfigMap as a folder: a file per key."""

    name: DnsSubdomain
    optional: bool = False


class EmptyDirVolumeSource(Located, frozen=True, kw_only=True):
    """A folder that is empty when the pod is made and goes with it."""


class HostPathVolumeSource(Located, frozen=True, kw_only=True):
    """A path of the node."""

    path: AbsolutePath
    type: Literal["", "Directory", "DirectoryOrCreate", "File"] = ""


class Volume(Located, frozen=True, kw_only=True):
    """A volume of a pod: exactly one of its sources is given."""

    name: DnsLabel
    config_map: ConfigMapVolumeSource | None = None
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None


class PodSpec(Located, frozen=True, kw_only=True):
    """What a pod consists of."""

    containers: Annotated[tuple[Container, ...], msgspec.Meta(min_length=1)]
    volumes: tuple[Volume, ...] = ()
    host_network: bool = False
    restart_policy: RestartPolicy = "Always"


class Pod(Located, frozen=True, kw_only=True, tag_field="kind", tag="Pod"):
    """A Kubernetes Pod."""

    kind: ClassVar[str] = "Pod"

    api_version: Literal["v1"]
    metadata: Metadata
    spec: PodSpec


class PodTemplate(Located, frozen=True, kw_only=True):
    """The pod that a Deployment makes copies of."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: PodSpec
