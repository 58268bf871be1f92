"""Job: a pod that runs to its end (Kubernetes batch/v1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.metadata import Metadata
from skerry.model.origin import Located
from skerry.model.pod import PodTemplate
from skerry.model.words import AtLeastOne, Seconds

Count = Annotated[int, msgspec.Meta(ge=0)]
# Each is a pod that is placed.
Completions = Annotated[
    int, msgspec.Meta(ge=1, le=10_000, description="a whole number from 1 to 10000")
]


class JobSpec(Located, frozen=True, kw_only=True):
    """A pod that runs until it ended with success `completions` times.

    `parallelism` of them run at a time; each is tried `backoff_limit` times again. In seconds.
    """

    template: PodTemplate
    completions: Completions | None = None
    parallelism: Count = 1
    completion_mode: Literal["NonIndexed", "Indexed"] = "NonIndexed"
    backoff_limit: Count = 6
    active_deadline_seconds: AtLeastOne | None = None
    ttl_seconds_after_finished: Seconds | None = None
    suspend: bool = False


class Job(Located, frozen=True, kw_only=True, tag_field="kind", tag="Job"):
    """A Kubernetes Job."""

    kind: ClassVar[str] = "Job"

    api_version: Literal["batch/v1"]
    metadata: Metadata
    spec: JobSpec
