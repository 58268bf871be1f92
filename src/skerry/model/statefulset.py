"""StatefulSet: numbered pods with names and volumes of their own (Kubernetes apps/v1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.claim import VolumeClaimTemplate
from skerry.model.metadata import DnsSubdomain, Metadata
from skerry.model.origin import Located
from skerry.model.pod import PodTemplate
from skerry.model.selector import LabelSelector
from skerry.model.words import IntOrPercent, Replicas, Seconds


class StatefulSetOrdinals(Located, frozen=True, kw_only=True):
    """The number of the first replica."""

    start: Annotated[int, msgspec.Meta(ge=0)] = 0


class RollingUpdateStatefulSetStrategy(Located, frozen=True, kw_only=True):
    """Replicas whose number is lower than `partition` keep what they have."""

    max_unavailable: IntOrPercent | None = None
    partition: Annotated[int, msgspec.Meta(ge=0)] = 0


class StatefulSetUpdateStrategy(Located, frozen=True, kw_only=True):
    """How replicas are brought up to date: the highest number first."""

    type: Literal["RollingUpdate"] = "RollingUpdate"
    rolling_update: RollingUpdateStatefulSetStrategy | None = None


class StatefulSetSpec(Located, frozen=True, kw_only=True):
    """Pods ``NAME-0``, ``NAME-1`` and so on, each with a claim of each of the templates.

    With `OrderedReady` each is started when the one before is ready.
    """

    selector: LabelSelector
    template: PodTemplate
    service_name: DnsSubdomain | None = None
    replicas: Replicas = 1
    volume_claim_templates: tuple[VolumeClaimTemplate, ...] = ()
    pod_management_policy: Literal["OrderedReady", "Parallel"] = "OrderedReady"
    update_strategy: StatefulSetUpdateStrategy = StatefulSetUpdateStrategy()
    min_ready_seconds: Seconds = 0
    ordinals: StatefulSetOrdinals = StatefulSetOrdinals()


class StatefulSet(Located, frozen=True, kw_only=True, tag_field="kind", tag="StatefulSet"):
    """A Kubernetes StatefulSet."""

    kind: ClassVar[str] = "StatefulSet"

    api_version: Literal["apps/v1"]
    metadata: Metadata
    spec: StatefulSetSpec


def replica_claim(template: str, workload: str, ordinal: int) -> str:
    """The name of the claim that a replica gets of a template: ``TEMPLATE-SET-ORDINAL``."""
    return f"{template}-{workload}-{ordinal}"
