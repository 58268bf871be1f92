"""The cloud: its nodes, and what runs where (``cloud.yaml``); and all of the folder together."""

from __future__ import annotations

from typing import Annotated

import msgspec

from skerry.model.configmap import ConfigMap
from skerry.model.deployment import Deployment
from skerry.model.metadata import DnsLabel, LabelKey, LabelValue
from skerry.model.origin import Located
from skerry.model.pod import Pod, PodSpec, Port

# No "-" first: ssh would read such a word as an option.
SshTarget = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([^@\s/-][^@\s/]*@)?[^@\s/-][^@\s/]*$",
        description="a host or USER@HOST as the command ssh takes it",
    ),
]


class Node(Located, frozen=True, kw_only=True, rename="kebab"):
    """A computer that Skerry puts workloads on, reached as ``[USER@]HOST`` through `ssh`.

    `identity_file` is relative to the cloud folder or begins with ``~``; in a `Cloud` it is
    absolute.
    """

    ssh: SshTarget
    port: Port | None = None
    identity_file: str | None = None
    vendor: LabelValue | None = None
    zone: LabelValue | None = None
    labels: dict[LabelKey, LabelValue] = {}

    def all_labels(self, name: str) -> dict[str, str]:
        """The node's labels; its name, vendor and zone are labels like any other."""
        own = {"name": name, "vendor": self.vendor, "zone": self.zone}
        return {**{key: value for key, value in own.items() if value is not None}, **self.labels}


class Placement(Located, frozen=True, kw_only=True, rename="kebab"):
    """What of a manifest runs where.

    `pod` is the manifest's path in the cloud folder; the file holds one Pod or Deployment, or
    ``#NAME`` after the path says which. With `nodes` (names
    or wildcards) and no `replicas`, one replica runs on each of those nodes; with `replicas`,
    that many are spread over them, first over different values of the label `spread`. Without
    `nodes`, every node may be chosen.
    """

    pod: str
    nodes: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ()
    replicas: Annotated[int, msgspec.Meta(ge=0)] | None = None
    spread: LabelKey | None = None


class CloudFile(Located, frozen=True, kw_only=True, rename="kebab"):
    """``cloud.yaml``. Paths are relative to the cloud folder; ``~`` is the home folder.

    Fields that begin with ``x-`` are left alone: a place for YAML anchors.
    """

    name: DnsLabel
    nodes: dict[DnsLabel, Node] = {}
    inventory: str | None = None
    ssh_config: str | None = None
    run: dict[DnsLabel, Placement] = {}


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A placement with the pod that it places.

    `replicas` is None where one runs on each of `nodes`; `nodes` are names, sorted, wildcards
    resolved. `manifest` is the Pod or Deployment as written.
    """

    name: str
    placement: Placement
    manifest: Pod | Deployment
    nodes: tuple[str, ...]
    replicas: int | None

    @property
    def spec(self) -> PodSpec:
        """The pod's containers and volumes."""
        if isinstance(self.manifest, Deployment):
            return self.manifest.spec.template.spec
        return self.manifest.spec

    @property
    def labels(self) -> dict[str, str]:
        """The pod's labels."""
        if isinstance(self.manifest, Deployment):
            return self.manifest.spec.template.metadata.labels
        return self.manifest.metadata.labels


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """The whole cloud folder, valid. All that the code behind the loader sees.

    `nodes` come from ``cloud.yaml`` or the inventory; `workloads` and `config_maps` by name.
    `ssh_config` is an absolute path or None.
    """

    name: str
    nodes: dict[str, Node]
    workloads: dict[str, Workload]
    config_maps: dict[str, ConfigMap]
    ssh_config: str | None = None
