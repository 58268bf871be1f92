"""Deployment: a number of equal pods (Kubernetes apps/v1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.metadata import LabelKey, LabelValue, Metadata
from skerry.model.origin import Located
from skerry.model.pod import PodTemplate


class LabelSelector(Located, frozen=True, kw_only=True):
    """Labels that the pods of a Deployment have; they must match the template's."""

    match_labels: dict[LabelKey, LabelValue]


class DeploymentSpec(Located, frozen=True, kw_only=True):
    """How many pods, and of which kind. A placement's `replicas` overrides the number here."""

    selector: LabelSelector
    template: PodTemplate
    replicas: Annotated[int, msgspec.Meta(ge=0)] = 1


class Deployment(Located, frozen=True, kw_only=True, tag_field="kind", tag="Deployment"):
    """A Kubernetes Deployment."""

    kind: ClassVar[str] = "Deployment"

    api_version: Literal["apps/v1"]
    metadata: Metadata
    spec: DeploymentSpec
