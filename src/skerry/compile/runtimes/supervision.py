"""The [Service] lines of a container: restarts and time limits.

Sources: systemd.service(5); Kubernetes "Pod Lifecycle".
"""

from __future__ import annotations

from skerry.compile.runtimes.init import INIT_SECONDS, RESTART_MODE
from skerry.compile.runtimes.probes import Probing
from skerry.compile.runtimes.quadlet import Section
from skerry.compile.runtimes.resources import compile_resources
from skerry.compile.runtimes.shape import is_grouped, is_init, is_sidecar
from skerry.model.container import Container
from skerry.model.pod import PodSpec

# How long a container may take to be made and started, in seconds.
START_SECONDS = 60
# What a hook may take after the start before an apply goes back, in seconds: nothing ends it.
HOOK_SECONDS = 600
# Beyond the pod's own time to stop: the shell, Podman, and the last 2 s of a late preStop hook.
STOP_SPARE = 17
_RESTART = {"Always": "always", "OnFailure": "on-failure", "Never": "no"}


def compile_supervision(spec: PodSpec, container: Container, probing: Probing) -> Section:
    """How systemd restarts, stops and limits one container."""
    return [
        *_restart_lines(spec, container),
        *_start_lines(spec, container, probing),
        *_stop_lines(spec, container, probing),
        *compile_resources(container),
    ]


def start_deadline(spec: PodSpec, container: Container, probing: Probing) -> float:
    """How long the container may take to be healthy, its predecessor's end included."""
    if is_init(spec, container):
        return INIT_SECONDS
    startup = HOOK_SECONDS if probing.startup is None else probing.startup
    grace = spec.termination_grace_period_seconds
    return float(START_SECONDS + grace + startup + probing.readiness)


def _restart_lines(spec: PodSpec, container: Container) -> Section:
    restart = _RESTART[spec.restart_policy]
    if is_sidecar(spec, container):
        restart = "always"
    elif is_init(spec, container) and restart == "always":
        restart = "on-failure"
    lines: Section = [("Restart", restart)]
    if restart != "no":
        # The count of restarts goes back only when a person starts the unit, so the longest
        # delay is one that a pod which fails once a month can bear. systemd before 254 knows
        # only the first line of the three.
        lines += [("RestartSec", "1"), ("RestartSteps", "4"), ("RestartMaxDelaySec", "10")]
        if container in spec.init_containers:
            lines.append(RESTART_MODE)
    return lines


def _start_lines(spec: PodSpec, container: Container, probing: Probing) -> Section:
    if is_init(spec, container):
        return [("Type", "oneshot"), ("RemainAfterExit", "yes"), ("TimeoutStartSec", "infinity")]
    if probing.startup is None:
        return [("TimeoutStartSec", "infinity")]
    # A startup probe that fails stops the container in the pod's time.
    spare = spec.termination_grace_period_seconds + STOP_SPARE if probing.startup else 0
    return [("TimeoutStartSec", str(START_SECONDS + probing.startup + spare))]


def _stop_lines(spec: PodSpec, container: Container, probing: Probing) -> Section:
    lines: Section = []
    has_stop = any(key == "ExecStop" for key, _ in probing.service)
    if is_grouped(spec) and not has_stop and not is_init(spec, container):
        # `podman rm` of a container in a pod holds the pod's lock while it waits, so that the
        # containers of a pod would be stopped one after the other.
        lines.append(("ExecStop", "-/usr/bin/podman stop --ignore --cidfile=%t/%N.cid"))
    is_restarted = spec.restart_policy == "Always" and not is_init(spec, container)
    if is_restarted or is_sidecar(spec, container):
        # A program that was told to stop ends with SIGTERM, or with SIGKILL in the end. Where
        # success and failure differ, these must stay failures.
        lines.append(("SuccessExitStatus", "137 143"))
    lines.append(("TimeoutStopSec", str(spec.termination_grace_period_seconds + STOP_SPARE)))
    return lines
