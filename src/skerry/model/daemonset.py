"""DaemonSet: one pod on every node that fits (Kubernetes apps/v1)."""

from __future__ import annotations

from typing import ClassVar, Literal

from skerry.model.metadata import Metadata
from skerry.model.origin import Located
from skerry.model.pod import PodTemplate
from skerry.model.selector import LabelSelector
from skerry.model.words import IntOrPercent, Seconds


class RollingUpdateDaemonSet(Located, frozen=True, kw_only=True):
    """How many nodes may be without the pod, or with two, during an update."""

    max_unavailable: IntOrPercent | None = None
    max_surge: IntOrPercent | None = None


class DaemonSetUpdateStrategy(Located, frozen=True, kw_only=True):
    """How old pods are replaced by new ones."""

    type: Literal["RollingUpdate"] = "RollingUpdate"
    rolling_update: RollingUpdateDaemonSet | None = None


class DaemonSetSpec(Located, frozen=True, kw_only=True):
    """The pod that runs on every node; a pod counts once it was ready for so many seconds."""

    selector: LabelSelector
    template: PodTemplate
    update_strategy: DaemonSetUpdateStrategy = DaemonSetUpdateStrategy()
    min_ready_seconds: Seconds = 0


class DaemonSet(Located, frozen=True, kw_only=True, tag_field="kind", tag="DaemonSet"):
    """A Kubernetes DaemonSet."""

    kind: ClassVar[str] = "DaemonSet"

    api_version: Literal["apps/v1"]
    metadata: Metadata
    spec: DaemonSetSpec
