"""Strategies that cannot be followed: what Kubernetes refuses, and what a node has no room for.

Source: Kubernetes' validation of apps/v1 (``ValidateRollingUpdateDeployment`` and its like).
"""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.model.beside import bar_of, is_zero
from skerry.model.cloud import Workload
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.statefulset import StatefulSet


def check_rolling(manifest: Deployment | DaemonSet | StatefulSet) -> Iterator[Problem]:
    """The problems of a workload's strategy and of its times."""
    if isinstance(manifest, Deployment):
        yield from _check_deployment(manifest)
    elif isinstance(manifest, DaemonSet):
        yield from _check_daemon_set(manifest)
    else:
        update = manifest.spec.update_strategy.rolling_update
        if update is not None and is_zero(update.max_unavailable):
            yield update.origin.of("maxUnavailable").problem(
                "with maxUnavailable 0 no replica of a StatefulSet can ever be replaced",
                hint="1 is the least; leave it out for that",
            )


def check_recreate(workload: Workload) -> Iterator[Problem]:
    """Whether all old replicas can be down before a new one starts: only on one node."""
    manifest = workload.manifest
    if not isinstance(manifest, Deployment) or manifest.spec.strategy.type != "Recreate":
        return
    count = len(workload.nodes) if workload.replicas is None else workload.replicas
    if count > 1 and len(workload.nodes) > 1:
        yield manifest.spec.strategy.origin.of("type").problem(
            f"{workload.name!r} has {count} replicas on several nodes: a node is switched as a "
            "whole, so its new replicas would start while old ones run elsewhere",
            hint="place it on one node, or use RollingUpdate with maxUnavailable: 100%, which has "
            "all nodes switch at once",
        )


def _check_deployment(manifest: Deployment) -> Iterator[Problem]:
    spec, update = manifest.spec, manifest.spec.strategy.rolling_update
    within, ready = spec.progress_deadline_seconds, spec.min_ready_seconds
    if within is not None and within <= ready:
        yield spec.origin.of("progressDeadlineSeconds").problem(
            f"a replica has {within} s to become ready and has to be ready for {ready} s "
            "(minReadySeconds) by then",
            hint="progressDeadlineSeconds must be the larger one",
        )
    if update is None:
        return
    if spec.strategy.type == "Recreate":
        yield spec.strategy.origin.of("rollingUpdate").problem(
            "with the strategy Recreate there is no rolling update", hint="leave it out"
        )
        return
    if not is_zero(update.max_unavailable):
        return
    origin = update.origin.of("maxUnavailable")
    if is_zero(update.max_surge):
        yield origin.problem(
            "with maxUnavailable 0 and maxSurge 0 nothing can ever be replaced",
            hint="one of them must be more",
        )
    elif bar := bar_of(spec.template.spec):
        yield origin.problem(
            f"with maxUnavailable 0 the new replica has to run beside the old one, but only one "
            f"of them can have {bar}",
            hint="maxUnavailable: 1 lets the old one go first",
        )


def _check_daemon_set(manifest: DaemonSet) -> Iterator[Problem]:
    update = manifest.spec.update_strategy.rolling_update
    if update is None:
        return
    surges = update.max_surge is not None and not is_zero(update.max_surge)
    if not surges and is_zero(update.max_unavailable):
        yield update.origin.of("maxUnavailable").problem(
            "with maxUnavailable 0 and maxSurge 0 nothing can ever be replaced",
            hint="one of them must be more",
        )
    elif surges and not is_zero(update.max_unavailable):
        yield update.origin.of("maxSurge").problem(
            "a DaemonSet either surges or has nodes go without: with maxSurge, maxUnavailable "
            "must be 0",
            hint="maxUnavailable: 0 (1 where it is left out)",
        )
    elif surges and (bar := bar_of(manifest.spec.template.spec)):
        yield update.origin.of("maxSurge").problem(
            f"with maxSurge the new pod runs beside the old one, but only one of them can have "
            f"{bar}",
            hint="maxUnavailable: 1 instead lets the old one go first",
        )
