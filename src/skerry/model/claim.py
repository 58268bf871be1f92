"""PersistentVolumeClaim: a named folder of a node that outlives its pods (Kubernetes core/v1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.metadata import Metadata
from skerry.model.origin import Located
from skerry.model.words import Quantity


class VolumeResourceList(Located, frozen=True, kw_only=True):
    """An amount of storage, in bytes as a quantity."""

    storage: Quantity


class VolumeResourceRequirements(Located, frozen=True, kw_only=True):
    """How much storage is asked for; a node with less free space is no place for it."""

    requests: VolumeResourceList


class PersistentVolumeClaimSpec(Located, frozen=True, kw_only=True):
    """What is asked of the volume. It is a folder of one node, so one node can write it."""

    access_modes: Annotated[
        tuple[Literal["ReadWriteOnce", "ReadWriteOncePod"], ...], msgspec.Meta(min_length=1)
    ]
    resources: VolumeResourceRequirements
    volume_mode: Literal["Filesystem"] = "Filesystem"


class PersistentVolumeClaim(
    Located, frozen=True, kw_only=True, tag_field="kind", tag="PersistentVolumeClaim"
):
    """A Kubernetes PersistentVolumeClaim."""

    kind: ClassVar[str] = "PersistentVolumeClaim"

    api_version: Literal["v1"]
    metadata: Metadata
    spec: PersistentVolumeClaimSpec


class VolumeClaimTemplate(Located, frozen=True, kw_only=True):
    """A claim that each replica of a StatefulSet gets one of: ``NAME-SET-ORDINAL``."""

    metadata: Metadata
    spec: PersistentVolumeClaimSpec
    api_version: Literal["v1"] | None = None
    kind: Literal["PersistentVolumeClaim"] | None = None
