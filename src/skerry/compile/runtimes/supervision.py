"""The [Service] lines of a container: restarts and time limits.

Sources: systemd.service(5); Kubernetes "Pod Lifecycle".
"""

from __future__ import annotations

from skerry.compile.runtimes.quadlet import Section
from skerry.compile.runtimes.resources import compile_resources
from skerry.model.container import Container
from skerry.model.pod import PodSpec

# Kubernetes' terminationGracePeriodSeconds where a manifest does not set it, in seconds.
STOP_SECONDS = 30
# How long a container may take to be made and started, in seconds.
START_SECONDS = 60
_RESTART = {"Always": "always", "OnFailure": "on-failure", "Never": "no"}


def compile_supervision(spec: PodSpec, container: Container) -> Section:
    """How systemd restarts, stops and limits one container."""
    return [*_restart_lines(spec), *_stop_lines(spec), *compile_resources(container)]


def _restart_lines(spec: PodSpec) -> Section:
    lines: Section = [("Restart", _RESTART[spec.restart_policy])]
    if spec.restart_policy != "Never":
        # The count of restarts goes back only when a person starts the unit, so the longest
        # delay is one that a pod which fails once a month can bear. systemd before 254 knows
        # only the first line of the three.
        lines += [("RestartSec", "1"), ("RestartSteps", "4"), ("RestartMaxDelaySec", "10")]
    return lines


def _stop_lines(spec: PodSpec) -> Section:
    lines: Section = []
    if len(spec.containers) > 1:
        # `podman rm` of a container in a pod holds the pod's lock while it waits, so that the
        # containers of a pod would be stopped one after the other.
        lines.append(("ExecStop", "-/usr/bin/podman stop --ignore --cidfile=%t/%N.cid"))
    if spec.restart_policy == "Always":
        # A program that was told to stop ends with SIGTERM, or with SIGKILL in the end. Where
        # success and failure differ, these must stay failures.
        lines.append(("SuccessExitStatus", "137 143"))
    lines.append(("TimeoutStartSec", str(START_SECONDS)))
    lines.append(("TimeoutStopSec", str(STOP_SECONDS + 15)))
    return lines
