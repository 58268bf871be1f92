"""Pod: one or more containers that share a network and live and die together on one node.

Field names and meanings are those of the Kubernetes API, core/v1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.container import Container
from skerry.model.metadata import (
    DnsLabel,
    DnsSubdomain,
    LabelKey,
    LabelValue,
    Metadata,
    TemplateMetadata,
)
from skerry.model.origin import Located
from skerry.model.scheduling import Affinity, Toleration, TopologySpreadConstraint
from skerry.model.security import PodSecurityContext
from skerry.model.volume import Volume
from skerry.model.words import AtLeastOne, IpAddress, RestartPolicy, Seconds


class HostAlias(Located, frozen=True, kw_only=True):
    """Names for an address, in the containers' /etc/hosts."""

    ip: IpAddress
    hostnames: tuple[DnsSubdomain, ...] = ()


class PodDNSConfigOption(Located, frozen=True, kw_only=True):
    """An option of the resolver (resolv.conf(5))."""

    name: str
    value: str | None = None


class PodDNSConfig(Located, frozen=True, kw_only=True):
    """Name servers, search domains and options, beside those of the policy."""

    nameservers: tuple[IpAddress, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodSpec(Located, frozen=True, kw_only=True):
    """What a pod consists of, how it ends, and where it may run.

    `host_users` false, or not given, gives the pod user ids of its own: root in it is nobody on
    the node. Where Kubernetes' default is true, Skerry's is not; a pod with `host_network`,
    `host_pid` or `host_ipc` has the node's user ids.
    `dns_policy` `ClusterFirst` is `Default`, the node's name servers: the cloud has none.
    `automount_service_account_token` and `enable_service_links` may be false, as they are here.
    """

    containers: Annotated[tuple[Container, ...], msgspec.Meta(min_length=1)]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    restart_policy: RestartPolicy = "Always"
    termination_grace_period_seconds: Seconds = 30
    active_deadline_seconds: AtLeastOne | None = None
    host_network: bool = False
    host_pid: bool = msgspec.field(name="hostPID", default=False)
    host_ipc: bool = msgspec.field(name="hostIPC", default=False)
    host_users: bool | None = None
    hostname: DnsLabel | None = None
    host_aliases: tuple[HostAlias, ...] = ()
    dns_policy: Literal["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"] = (
        "ClusterFirst"
    )
    dns_config: PodDNSConfig | None = None
    share_process_namespace: bool = False
    security_context: PodSecurityContext = PodSecurityContext()
    node_name: DnsLabel | None = None
    node_selector: dict[LabelKey, LabelValue] = {}
    affinity: Affinity = Affinity()
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    automount_service_account_token: bool = False
    enable_service_links: bool = False

    @property
    def has_own_users(self) -> bool:
        """Whether the pod has user ids of its own.

        One in the node's network, processes or IPC has the node's, as Kubernetes asks for it:
        otherwise it could neither take a port below 1024 nor do anything to what it sees there.
        """
        shares = self.host_network or self.host_pid or self.host_ipc
        return not shares and self.host_users is not True

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """The init containers and the containers."""
        return (*self.init_containers, *self.containers)


class Pod(Located, frozen=True, kw_only=True, tag_field="kind", tag="Pod"):
    """A Kubernetes Pod."""

    kind: ClassVar[str] = "Pod"

    api_version: Literal["v1"]
    metadata: Metadata
    spec: PodSpec


class PodTemplate(Located, frozen=True, kw_only=True):
    """The pod that a Deployment, or another kind that makes pods, makes copies of."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: PodSpec
