"""How a workload's replicas are replaced: old and new side by side or not, how many at a time.

Sources: Kubernetes API reference, apps/v1 Deployment, DaemonSet and StatefulSet: percentages of
`maxUnavailable` are rounded down and those of `maxSurge` up, but for a DaemonSet, which rounds
both up; where both come to 0 one may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from skerry.model.beside import bar_of, is_zero
from skerry.model.cloud import Cloud, Workload
from skerry.model.daemonset import DaemonSet, RollingUpdateDaemonSet
from skerry.model.deployment import Deployment, RollingUpdateDeployment
from skerry.model.pod import Pod
from skerry.model.statefulset import RollingUpdateStatefulSetStrategy, StatefulSet

Order = Literal["start-first", "stop-first"]
# What Kubernetes gives a Deployment that says nothing.
DEFAULT_SHARE = "25%"


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """How one workload is rolled.

    `order` is ``start-first`` where the new replica runs beside the old one until it is healthy;
    `reason` says why not. At most `max_unavailable` of the `replicas` are down at a time, and at
    most `max_surge` run beyond them. The replicas of a workload that `is_numbered` differ: the
    highest number is replaced first, no two of one number ever run, and where it `is_ordered`
    they are also made one after another, the lowest first; numbers below `partition` are left as
    they are. Where it is `at_once` all old replicas are down before a new one starts.
    """

    replicas: int
    order: Order
    reason: str = ""
    max_unavailable: int = 1
    max_surge: int = 1
    is_numbered: bool = False
    is_ordered: bool = False
    at_once: bool = False
    partition: int = 0


def compile_strategies(cloud: Cloud, replicas: Mapping[str, int]) -> dict[str, Strategy]:
    """The strategies of all workloads that go on until they are stopped, by name.

    `replicas` says how many each has on all nodes together.
    """
    return {
        name: strategy_of(workload, cloud, replicas.get(name, 0))
        for name, workload in cloud.workloads.items()
        if isinstance(workload.manifest, Pod | Deployment | DaemonSet | StatefulSet)
    }


def strategy_of(workload: Workload, cloud: Cloud, replicas: int) -> Strategy:
    """The strategy of one workload with so many replicas."""
    manifest, reason = workload.manifest, why_not_beside(workload, cloud)
    order: Order = "stop-first" if reason else "start-first"
    if isinstance(manifest, DaemonSet):
        daemon = manifest.spec.update_strategy.rolling_update or RollingUpdateDaemonSet()
        return Strategy(
            replicas=replicas,
            order=order,
            reason=reason,
            max_unavailable=max(1, amount_of(daemon.max_unavailable, replicas, 1, rounding="up")),
            max_surge=max(1, amount_of(daemon.max_surge, replicas, 0, rounding="up")),
        )
    if isinstance(manifest, StatefulSet):
        rolling = manifest.spec.update_strategy.rolling_update or RollingUpdateStatefulSetStrategy()
        return Strategy(
            replicas=replicas,
            order=order,
            reason=reason,
            max_unavailable=max(1, amount_of(rolling.max_unavailable, replicas, 1)),
            is_numbered=True,
            is_ordered=manifest.spec.pod_management_policy == "OrderedReady",
            partition=rolling.partition,
        )
    update = RollingUpdateDeployment()
    if isinstance(manifest, Deployment):
        update = manifest.spec.strategy.rolling_update or update
    return Strategy(
        replicas=replicas,
        order=order,
        reason=reason,
        max_unavailable=max(1, amount_of(update.max_unavailable, replicas, DEFAULT_SHARE)),
        max_surge=max(1, amount_of(update.max_surge, replicas, DEFAULT_SHARE, rounding="up")),
        at_once=_is_recreated(workload),
    )


def amount_of(
    given: str | int | None,
    replicas: int,
    default: str | int,
    *,
    rounding: Literal["up", "down"] = "down",
) -> int:
    """A number, or a percentage of the replicas, rounded."""
    value = default if given is None else given
    if isinstance(value, int):
        return value
    hundredths = int(value[:-1]) * replicas
    return -(-hundredths // 100) if rounding == "up" else hundredths // 100


def why_not_beside(workload: Workload, cloud: Cloud) -> str:
    """Why the old and the new of a replica cannot run side by side on a node; empty if they can."""
    return _kinds_reason(workload) or bar_of(workload.spec) or _service_of(workload, cloud)


def _kinds_reason(workload: Workload) -> str:
    """Why the kind of the manifest, or its strategy, asks for the old one to go first."""
    manifest = workload.manifest
    if isinstance(manifest, Deployment):
        update = manifest.spec.strategy.rolling_update
        if _is_recreated(workload):
            return "Recreate"
        return "maxSurge is 0" if update is not None and is_zero(update.max_surge) else ""
    if isinstance(manifest, DaemonSet):
        daemon = manifest.spec.update_strategy.rolling_update
        surge = daemon.max_surge if daemon is not None else None
        return "maxSurge is 0" if surge is None or is_zero(surge) else ""
    if isinstance(manifest, Pod):
        return ""
    return f"a {manifest.kind}"


def _is_recreated(workload: Workload) -> bool:
    manifest = workload.manifest
    return isinstance(manifest, Deployment) and manifest.spec.strategy.type == "Recreate"


def _service_of(workload: Workload, cloud: Cloud) -> str:
    """The Service that takes ports of the node for the workload."""
    labels = workload.labels.items()
    for name, service in cloud.services.items():
        if service.spec.selector and service.spec.selector.items() <= labels:
            return f"Service {name}"
    return ""
