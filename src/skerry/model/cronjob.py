"""CronJob: a job that is run by the clock (Kubernetes batch/v1)."""

from __future__ import annotations

from typing import ClassVar, Literal

from skerry.model.job import Count, JobSpec
from skerry.model.metadata import Metadata, TemplateMetadata
from skerry.model.origin import Located
from skerry.model.words import Seconds


class JobTemplate(Located, frozen=True, kw_only=True):
    """The Job that a CronJob makes."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: JobSpec


class CronJobSpec(Located, frozen=True, kw_only=True):
    """When a job is run, and what of its runs is kept.

    `schedule` is that of cron(5), in UTC where no `time_zone` is given.
    """

    schedule: str
    job_template: JobTemplate
    time_zone: str | None = None
    concurrency_policy: Literal["Allow", "Forbid", "Replace"] = "Allow"
    starting_deadline_seconds: Seconds | None = None
    successful_jobs_history_limit: Count = 3
    failed_jobs_history_limit: Count = 1
    suspend: bool = False


class CronJob(Located, frozen=True, kw_only=True, tag_field="kind", tag="CronJob"):
    """A Kubernetes CronJob."""

    kind: ClassVar[str] = "CronJob"

    api_version: Literal["batch/v1"]
    metadata: Metadata
    spec: CronJobSpec
