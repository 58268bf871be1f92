"""Jobs in themselves: what Kubernetes asks of batch/v1 JobSpec, and what is not done here."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.model.job import JobSpec

# Each pod of a job is a unit of its node.
MAX_COMPLETIONS = 500


def check_job(spec: JobSpec, kind: str) -> Iterator[Problem]:
    """The problems of a job's spec; `kind` is ``Job`` or ``CronJob``."""
    template = spec.template.spec
    if template.restart_policy == "Always":
        yield template.origin.of("restartPolicy").problem(
            f"the pods of a {kind} end: restartPolicy must be OnFailure or Never"
        )
    if spec.completions is None and spec.completion_mode == "Indexed":
        yield spec.origin.of("completionMode").problem(
            "an Indexed job needs `completions`: how many indices there are"
        )
    elif spec.completions is None and spec.parallelism > 1:
        yield spec.origin.of("parallelism").problem(
            f"{spec.parallelism} pods at a time without `completions` is a work queue, "
            "which Skerry does not honour: no pod here knows how the others ended",
            hint=f"completions: {spec.parallelism} runs that many to their end",
        )
    if spec.completions is not None and spec.completions > MAX_COMPLETIONS:
        yield spec.origin.of("completions").problem(
            f"at most {MAX_COMPLETIONS} completions fit: each pod is a unit on its node"
        )
