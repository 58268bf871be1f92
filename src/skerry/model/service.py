"""Service: a port of the nodes that leads to pods (Kubernetes core/v1, type NodePort)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.metadata import DnsLabel, LabelKey, LabelValue, Metadata
from skerry.model.origin import Located
from skerry.model.words import Port, PortName, Protocol

# The ports of nodes that services have (the default of Kubernetes' --service-node-port-range).
NODE_PORTS = (30000, 32767)


class ServicePort(Located, frozen=True, kw_only=True):
    """A port of the service; `node_port` of a node leads to `target_port` of the pods there."""

    port: Port
    target_port: Port | PortName | None = None
    node_port: Port | None = None
    protocol: Protocol = "TCP"
    name: DnsLabel | None = None


class ServiceSpec(Located, frozen=True, kw_only=True):
    """Which pods are meant, and the ports. Only a node with such a pod answers."""

    type: Literal["NodePort"]
    selector: dict[LabelKey, LabelValue]
    ports: Annotated[tuple[ServicePort, ...], msgspec.Meta(min_length=1)]
    external_traffic_policy: Literal["Local"] | None = None


class Service(Located, frozen=True, kw_only=True, tag_field="kind", tag="Service"):
    """A Kubernetes Service of the type NodePort."""

    kind: ClassVar[str] = "Service"

    api_version: Literal["v1"]
    metadata: Metadata
    spec: ServiceSpec
