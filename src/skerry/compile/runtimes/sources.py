"""What the pods of a cloud refer to, and what one of them adds to a node."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from skerry.compile.lock import Lock
from skerry.compile.secrets import KnownSecrets, PodmanSecret
from skerry.compile.services import Published, service_ports
from skerry.compile.tree import File, Unit
from skerry.model.cloud import Cloud, Workload
from skerry.model.configmap import ConfigMap
from skerry.model.cronjob import CronJob
from skerry.model.job import Job
from skerry.model.pod import Pod
from skerry.model.statefulset import StatefulSet

CONFIG_FOLDER = "/etc/skerry/config"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A replica of a workload; `ordinal` counts those on the same node from 0.

    The replicas of a StatefulSet and the runs of a Job are not equal: theirs counts all of them.
    `node` is empty where nothing depends on it: replicas with the same ordinal are equal then.
    `revision` tells it from other versions of itself, which may run beside it; empty where they
    may not.
    With `is_run` it is a pod of a job, which says itself when it begins and what its end means.
    """

    cloud: str
    workload: Workload
    ordinal: int
    node: str = ""
    revision: str = ""
    is_run: bool = False

    @property
    def name(self) -> str:
        """The name of its pod, and the beginning of its units' and containers' names.

        The parts are DNS labels and so have no dot: no two names can be equal.
        """
        tail = f"-{self.revision}" if self.revision else ""
        return f"skerry-{self.workload.name}.{self.ordinal}{tail}"

    @property
    def pod_name(self) -> str:
        """What the pod is told as its ``metadata.name``: unique among the pods of the cloud.

        A Pod that is placed once has the workload's name, replicas of a StatefulSet and runs of a
        Job have ``NAME-ORDINAL``, all others ``NAME-NODE-ORDINAL``. It stays when the pod is
        replaced. Needs `node`.
        """
        workload = self.workload
        if isinstance(workload.manifest, StatefulSet | Job | CronJob):
            return f"{workload.name}-{self.ordinal}"
        count = len(workload.nodes) if workload.replicas is None else workload.replicas
        if isinstance(workload.manifest, Pod) and count == 1:
            return workload.name
        return f"{workload.name}-{self.node}-{self.ordinal}"

    @property
    def labels(self) -> dict[str, str]:
        """The pod's labels, with those that Kubernetes gives to a StatefulSet's pods."""
        if not isinstance(self.workload.manifest, StatefulSet):
            return self.workload.labels
        return {
            **self.workload.labels,
            "apps.kubernetes.io/pod-index": str(self.ordinal),
            "statefulset.kubernetes.io/pod-name": self.pod_name,
        }

    @property
    def annotations(self) -> dict[str, str]:
        """The pod's annotations."""
        return self.workload.annotations


class OwnedFile(msgspec.Struct, frozen=True):
    """A file and what it was made from (``workload blog``, ``ConfigMap page``)."""

    file: File
    owner: str


class Emitted(msgspec.Struct, frozen=True):
    """What an instance adds to its node's tree; `images` maps an id to the reference, `secrets`
    are by their names in Podman's store."""

    files: dict[str, OwnedFile]
    units: dict[str, Unit]
    images: dict[str, str]
    secrets: dict[str, PodmanSecret] = {}


class Sources:
    """The cloud and its lock, which pods refer to; a ConfigMap's files are made once."""

    def __init__(self, cloud: Cloud, lock: Lock, secrets: KnownSecrets | None = None) -> None:
        self.cloud = cloud
        self.lock = lock
        self.images = lock.images
        self.secrets = secrets or KnownSecrets.unknown(cloud.secrets)
        self.config_maps: Mapping[str, ConfigMap] = cloud.config_maps
        self._files: dict[str, dict[str, OwnedFile]] = {}

    def service_ports(self, workload: Workload) -> list[Published]:
        """The ports of a node that services lead to a pod of the workload."""
        return service_ports(self.cloud.services, self.lock.node_ports, workload)

    def config_files(self, name: str) -> dict[str, OwnedFile]:
        """The files of a ConfigMap by path, a key each; none where there is no such ConfigMap."""
        if name not in self._files:
            config_map = self.config_maps.get(name)
            owner = f"ConfigMap {name}"
            self._files[name] = {
                f"{config_folder(name)}/{key}": OwnedFile(File(content), owner)
                for key, content in sorted(contents_of(config_map).items())
            }
        return self._files[name]


def config_folder(name: str) -> str:
    """The folder of a ConfigMap on a node."""
    return f"{CONFIG_FOLDER}/{name}"


def contents_of(config_map: ConfigMap | None) -> dict[str, bytes]:
    """What the keys of a ConfigMap hold; nothing where there is none."""
    if config_map is None:
        return {}
    contents = {key: text.encode() for key, text in config_map.data.items()}
    if config_map.binary_data:
        from base64 import b64decode

        contents |= {key: b64decode(text) for key, text in config_map.binary_data.items()}
    return contents
