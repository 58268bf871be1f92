"""Container: one program of a pod, with what it sees and may use (Kubernetes core/v1)."""

from __future__ import annotations

from typing import Literal

import msgspec

from skerry.model.metadata import DnsLabel, DnsSubdomain
from skerry.model.origin import Located
from skerry.model.probe import Lifecycle, Probe
from skerry.model.security import SecurityContext
from skerry.model.volume import ObjectFieldSelector, ResourceFieldSelector
from skerry.model.words import (
    AbsolutePath,
    EnvName,
    ImageName,
    IpAddress,
    MountPath,
    Port,
    PortName,
    Protocol,
    Quantity,
    RelativePath,
)


class ConfigMapKeySelector(Located, frozen=True, kw_only=True):
    """One key of a ConfigMap."""

    name: DnsSubdomain
    key: str
    optional: bool = False


class SecretKeySelector(Located, frozen=True, kw_only=True):
    """One key of a Secret."""

    name: DnsSubdomain
    key: str
    optional: bool = False


class EnvVarSource(Located, frozen=True, kw_only=True):
    """Where a variable's value comes from: exactly one of these is given."""

    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class EnvVar(Located, frozen=True, kw_only=True):
    """An environment variable: a value or the source of one; with neither it is empty."""

    name: EnvName
    value: str | None = None
    value_from: EnvVarSource | None = None


class ConfigMapEnvSource(Located, frozen=True, kw_only=True):
    """All keys of a ConfigMap."""

    name: DnsSubdomain
    optional: bool = False


class SecretEnvSource(Located, frozen=True, kw_only=True):
    """All keys of a Secret."""

    name: DnsSubdomain
    optional: bool = False


class EnvFromSource(Located, frozen=True, kw_only=True):
    """A variable for each key of a ConfigMap or Secret; `prefix` comes before their names."""

    prefix: str = ""
    config_map_ref: ConfigMapEnvSource | None = None
    secret_ref: SecretEnvSource | None = None


class ContainerPort(Located, frozen=True, kw_only=True):
    """A port that the container listens on; with `host_port`, one of the node leads to it."""

    container_port: Port
    host_port: Port | None = None
    host_ip: IpAddress | None = msgspec.field(name="hostIP", default=None)
    protocol: Protocol = "TCP"
    name: PortName | None = None


class VolumeMount(Located, frozen=True, kw_only=True):
    """A volume of the pod, or what is at `sub_path` in it, seen at `mount_path`."""

    name: DnsLabel
    mount_path: MountPath
    read_only: bool = False
    sub_path: RelativePath | None = None


class ResourceList(Located, frozen=True, kw_only=True):
    """Amounts: CPU in cores, memory in bytes, both as Kubernetes quantities."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class ResourceRequirements(Located, frozen=True, kw_only=True):
    """What a container is sure to get, and what it may use at most.

    Where there is a limit and no request, the request is the limit.
    """

    requests: ResourceList = ResourceList()
    limits: ResourceList = ResourceList()


class Container(Located, frozen=True, kw_only=True):
    """One container of a pod.

    `restart_policy` is for containers of `initContainers` alone: such a one runs beside the pod's
    containers and was started before them (a sidecar).
    """

    name: DnsLabel
    image: ImageName
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: AbsolutePath | None = None
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    image_pull_policy: Literal["IfNotPresent", "Never"] = "IfNotPresent"
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    security_context: SecurityContext = SecurityContext()
    restart_policy: Literal["Always"] | None = None
