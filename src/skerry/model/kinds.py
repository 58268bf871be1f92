"""The kinds of Kubernetes that a manifest can have here, by name."""

from __future__ import annotations

from typing import TypeAlias

from skerry.model.claim import PersistentVolumeClaim
from skerry.model.cloud import WorkloadManifest
from skerry.model.configmap import ConfigMap
from skerry.model.cronjob import CronJob
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.job import Job
from skerry.model.pod import Pod
from skerry.model.secret import Secret
from skerry.model.service import Service
from skerry.model.statefulset import StatefulSet

# What pods refer to, or what refers to them: found by name in the whole folder.
Shared: TypeAlias = ConfigMap | Secret | PersistentVolumeClaim | Service

WORKLOAD_KINDS: dict[str, type[WorkloadManifest]] = {
    "Pod": Pod,
    "Deployment": Deployment,
    "DaemonSet": DaemonSet,
    "StatefulSet": StatefulSet,
    "Job": Job,
    "CronJob": CronJob,
}
SHARED_KINDS: dict[str, type[Shared]] = {
    "ConfigMap": ConfigMap,
    "Secret": Secret,
    "PersistentVolumeClaim": PersistentVolumeClaim,
    "Service": Service,
}
KINDS: dict[str, type[WorkloadManifest] | type[Shared]] = {**WORKLOAD_KINDS, **SHARED_KINDS}
