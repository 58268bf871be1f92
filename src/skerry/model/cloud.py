"""The cloud: its nodes, and what runs where (``cloud.yaml``); and all of the folder together."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from skerry.model.claim import PersistentVolumeClaim
from skerry.model.configmap import ConfigMap
from skerry.model.cronjob import CronJob
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.job import Job
from skerry.model.metadata import DnsLabel, LabelKey, LabelValue, Metadata, TemplateMetadata
from skerry.model.origin import Located
from skerry.model.pod import Pod, PodSpec
from skerry.model.scheduling import TaintEffect
from skerry.model.secret import Secret
from skerry.model.secrets_file import SecretsFile
from skerry.model.service import Service
from skerry.model.statefulset import StatefulSet
from skerry.model.words import Port, Quantity, Replicas

# What a line of `run:` can place: everything that is, or makes, pods.
WorkloadManifest: TypeAlias = Pod | Deployment | DaemonSet | StatefulSet | Job | CronJob

# No "-" first: ssh would read such a word as an option. No characters that a shell takes for its
# own: a ProxyCommand of the operator's ssh_config gets host and user (%h, %r), and ssh itself
# refuses them only since 9.6 (valid_hostname and valid_ruser in its ssh.c).
_SSH_WORD = r"[^-@\s/'\"`$\\;&<>|(){},\x00-\x1f\x7f][^@\s/'\"`$\\;&<>|(){},\x00-\x1f\x7f]*"
SshTarget = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^({_SSH_WORD}@)?{_SSH_WORD}$",
        description="a host or USER@HOST as the command ssh takes it",
    ),
]
# A file of the operator's.
FilePath = Annotated[
    str,
    msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]+$", description="a path without control characters"),
]


class Taint(Located, frozen=True, kw_only=True, rename="kebab"):
    """What keeps pods from a node that do not tolerate it."""

    key: LabelKey
    value: LabelValue = ""
    effect: TaintEffect = "NoSchedule"


class Node(Located, frozen=True, kw_only=True, rename="kebab"):
    """A computer that Skerry puts workloads on, reached as ``[USER@]HOST`` through `ssh`.

    `identity_file` is relative to the cloud folder or begins with ``~``; in a `Cloud` it is
    absolute. `memory` is what the plan counts with, in bytes as a quantity, where that is not
    what the node itself reports. `cordon`, if given, names the workloads that may stay (written
    by `skerry node cordon` and `drain`); nothing else is placed on the node.
    """

    ssh: SshTarget
    port: Port | None = None
    identity_file: FilePath | None = None
    vendor: LabelValue | None = None
    zone: LabelValue | None = None
    labels: dict[LabelKey, LabelValue] = {}
    taints: tuple[Taint, ...] = ()
    memory: Quantity | None = None
    cordon: tuple[DnsLabel, ...] | None = None

    def all_labels(self, name: str) -> dict[str, str]:
        """The node's labels; its name, vendor and zone are labels like any other."""
        own = {"name": name, "vendor": self.vendor, "zone": self.zone}
        return {**{key: value for key, value in own.items() if value is not None}, **self.labels}


class Placement(Located, frozen=True, kw_only=True, rename="kebab"):
    """What of a manifest runs where.

    `pod` is the manifest's path in the cloud folder; the file holds one workload, or
    ``#NAME`` after the path says which. With `nodes` (names
    or wildcards) and no `replicas`, one replica runs on each of those nodes; with `replicas`,
    that many are spread over them, first over different values of the label `spread`. Without
    `nodes`, every node may be chosen.
    """

    pod: str
    nodes: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ()
    replicas: Replicas | None = None
    spread: LabelKey | None = None


class CloudFile(Located, frozen=True, kw_only=True, rename="kebab"):
    """``cloud.yaml``. Paths are relative to the cloud folder; ``~`` is the home folder.

    Fields that begin with ``x-`` are left alone: a place for YAML anchors.
    """

    name: DnsLabel
    nodes: dict[DnsLabel, Node] = {}
    inventory: FilePath | None = None
    ssh_config: FilePath | None = None
    run: dict[DnsLabel, Placement] = {}


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A placement with the pod that it places.

    `replicas` is None where one runs on each of `nodes`; `nodes` are names, sorted, wildcards
    resolved: those that the placement names, before selectors, taints and memory are looked at.
    `manifest` is as written.
    """

    name: str
    placement: Placement
    manifest: WorkloadManifest
    nodes: tuple[str, ...]
    replicas: int | None

    @property
    def spec(self) -> PodSpec:
        """The pod's containers and volumes."""
        return pod_of(self.manifest)[1]

    @property
    def ordinals(self) -> range:
        """The numbers of replicas that are not equal to each other: a StatefulSet's, a Job's.

        Empty where they are equal, or their number depends on the nodes.
        """
        start = 0
        if isinstance(self.manifest, StatefulSet):
            start = self.manifest.spec.ordinals.start
        elif not isinstance(self.manifest, Job):
            return range(0)
        return range(start, start + (self.replicas or 0))

    @property
    def labels(self) -> dict[str, str]:
        """The pod's labels."""
        return pod_of(self.manifest)[0].labels

    @property
    def annotations(self) -> dict[str, str]:
        """The pod's annotations."""
        return pod_of(self.manifest)[0].annotations


def pod_of(manifest: WorkloadManifest) -> tuple[Metadata | TemplateMetadata, PodSpec]:
    """Metadata and spec of the pod that a manifest is, or makes copies of."""
    if isinstance(manifest, Pod):
        return manifest.metadata, manifest.spec
    if isinstance(manifest, CronJob):
        template = manifest.spec.job_template.spec.template
    else:
        template = manifest.spec.template
    return template.metadata, template.spec


def claim_templates_of(manifest: WorkloadManifest) -> tuple[str, ...]:
    """The names of the volumes that a StatefulSet gives to each of its pods."""
    if not isinstance(manifest, StatefulSet):
        return ()
    return tuple(one.metadata.name for one in manifest.spec.volume_claim_templates)


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """The whole cloud folder, valid. All that the code behind the loader sees.

    `nodes` come from ``cloud.yaml`` or the inventory; all others by name. `ssh_config` and
    `inventory` are absolute paths or None; `files` are those of all manifests, relative to the
    folder; `secrets_file` is None where there is no secrets.yaml. Not of the folder
    but of one command are `absent`, nodes to be left out as if they were lost, and `abandoned`,
    claims whose volumes are given up.
    """

    name: str
    nodes: dict[str, Node]
    workloads: dict[str, Workload]
    config_maps: dict[str, ConfigMap]
    secrets: dict[str, Secret] = {}
    claims: dict[str, PersistentVolumeClaim] = {}
    services: dict[str, Service] = {}
    secrets_file: SecretsFile | None = None
    ssh_config: str | None = None
    files: tuple[str, ...] = ()
    inventory: str | None = None
    absent: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
