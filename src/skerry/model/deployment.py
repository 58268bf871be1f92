"""Deployment: a number of equal pods (Kubernetes apps/v1)."""

from __future__ import annotations

from typing import ClassVar, Literal

from skerry.model.metadata import Metadata
from skerry.model.origin import Located
from skerry.model.pod import PodTemplate
from skerry.model.selector import LabelSelector
from skerry.model.words import AtLeastOne, IntOrPercent, Replicas, Seconds


class RollingUpdateDeployment(Located, frozen=True, kw_only=True):
    """How many replicas may be missing, and how many there may be beyond, during an update."""

    max_unavailable: IntOrPercent | None = None
    max_surge: IntOrPercent | None = None


class DeploymentStrategy(Located, frozen=True, kw_only=True):
    """How old replicas are replaced by new ones."""

    type: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    rolling_update: RollingUpdateDeployment | None = None


class DeploymentSpec(Located, frozen=True, kw_only=True):
    """How many pods, and of which kind. A placement's `replicas` overrides the number here.

    A replica counts once it was ready for `min_ready_seconds`, and has failed when it is not
    after `progress_deadline_seconds`.
    """

    selector: LabelSelector
    template: PodTemplate
    replicas: Replicas = 1
    strategy: DeploymentStrategy = DeploymentStrategy()
    min_ready_seconds: Seconds = 0
    progress_deadline_seconds: AtLeastOne | None = None


class Deployment(Located, frozen=True, kw_only=True, tag_field="kind", tag="Deployment"):
    """A Kubernetes Deployment."""

    kind: ClassVar[str] = "Deployment"

    api_version: Literal["apps/v1"]
    metadata: Metadata
    spec: DeploymentSpec
