"""Strategies: what the loader refuses, word for word, and what the others come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from skerry.compile.rolling.strategy import amount_of, strategy_of
from skerry.load.cloud import load_cloud
from tests.unit.test_load_problems import problems_of, write_folder

NODES = "name: home\nnodes:\n  alpha: {ssh: root@alpha}\n  beta: {ssh: root@beta}\n"
POD = "containers: [{name: c, image: localhost/x}]"
WITH_PORT = (
    "containers: [{name: c, image: localhost/x, ports: [{containerPort: 80, hostPort: 80}]}]"
)
MANIFEST = """\
apiVersion: apps/v1
kind: {kind}
metadata: {{name: x}}
spec:
  selector: {{matchLabels: {{app: x}}}}
  template: {{metadata: {{labels: {{app: x}}}}, spec: {{{pod}}}}}
  {lines}
"""


def manifest(kind: str, lines: str, pod: str = POD) -> str:
    """A workload with a strategy."""
    return MANIFEST.format(kind=kind, lines=lines, pod=pod)


def folder_of(folder: Path, text: str, placement: str = "") -> None:
    """A cloud folder with this workload."""
    tail = f", {placement}" if placement else ""
    run = f"run:\n  x: {{pod: pods/x.yaml{tail}}}\n"
    write_folder(folder, {"cloud.yaml": NODES + run, "pods/x.yaml": text})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            manifest("Deployment", "strategy: {rollingUpdate: {maxUnavailable: 0}}", WITH_PORT),
            "pods/x.yaml:7:46: with maxUnavailable 0 the new replica has to run beside the old "
            "one, but only one of them can have port 80 "
            "(maxUnavailable: 1 lets the old one go first)",
        ),
        (
            manifest("Deployment", "strategy: {rollingUpdate: {maxUnavailable: 0%, maxSurge: 0}}"),
            "pods/x.yaml:7:46: with maxUnavailable 0 and maxSurge 0 nothing can ever be replaced "
            "(one of them must be more)",
        ),
        (
            manifest("Deployment", "strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}"),
            "pods/x.yaml:7:45: with the strategy Recreate there is no rolling update "
            "(leave it out)",
        ),
        (
            manifest("Deployment", "minReadySeconds: 30\n  progressDeadlineSeconds: 30"),
            "pods/x.yaml:8:28: a replica has 30 s to become ready and has to be ready for 30 s "
            "(minReadySeconds) by then (progressDeadlineSeconds must be the larger one)",
        ),
        (
            manifest("Deployment", "replicas: 2\n  strategy: {type: Recreate}"),
            "pods/x.yaml:8:20: 'x' has 2 replicas on several nodes: a node is switched as a "
            "whole, so its new replicas would start while old ones run elsewhere (place it on "
            "one node, or use RollingUpdate with maxUnavailable: 100%, which has all nodes "
            "switch at once)",
        ),
        (
            manifest("DaemonSet", "updateStrategy: {rollingUpdate: {maxSurge: 1}}"),
            "pods/x.yaml:7:46: a DaemonSet either surges or has nodes go without: with maxSurge, "
            "maxUnavailable must be 0 (maxUnavailable: 0 (1 where it is left out))",
        ),
        (
            manifest("DaemonSet", "updateStrategy: {rollingUpdate: {maxUnavailable: 0}}"),
            "pods/x.yaml:7:52: with maxUnavailable 0 and maxSurge 0 nothing can ever be replaced "
            "(one of them must be more)",
        ),
        (
            manifest(
                "DaemonSet",
                "updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}",
                "hostNetwork: true, " + POD,
            ),
            "pods/x.yaml:7:46: with maxSurge the new pod runs beside the old one, but only one of "
            "them can have the node's network (maxUnavailable: 1 instead lets the old one go "
            "first)",
        ),
        (
            manifest("StatefulSet", "updateStrategy: {rollingUpdate: {maxUnavailable: 0}}"),
            "pods/x.yaml:7:52: with maxUnavailable 0 no replica of a StatefulSet can ever be "
            "replaced (1 is the least; leave it out for that)",
        ),
    ],
)
def test_strategy_that_cannot_be_followed(tmp_path: Path, text: str, problem: str) -> None:
    folder_of(tmp_path, text)
    assert problem in problems_of(tmp_path)


def test_recreate_on_one_node_is_fine(tmp_path: Path) -> None:
    text = manifest("Deployment", "replicas: 2\n  strategy: {type: Recreate}")
    folder_of(tmp_path, text, "nodes: [alpha]")
    load_cloud(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (manifest("Deployment", "replicas: 1"), ("start-first", "", 2, 3)),
        (manifest("Deployment", "replicas: 1", WITH_PORT), ("stop-first", "port 80", 2, 3)),
        (
            manifest("Deployment", "strategy: {rollingUpdate: {maxUnavailable: 3, maxSurge: 0}}"),
            ("stop-first", "maxSurge is 0", 3, 1),
        ),
        (
            manifest(
                "Deployment", "strategy: {rollingUpdate: {maxUnavailable: 50%, maxSurge: 50%}}"
            ),
            ("start-first", "", 5, 5),
        ),
        (manifest("DaemonSet", ""), ("stop-first", "maxSurge is 0", 1, 1)),
        (
            manifest(
                "DaemonSet", "updateStrategy: {rollingUpdate: {maxSurge: 15%, maxUnavailable: 0}}"
            ),
            ("start-first", "", 1, 2),
        ),
        (
            manifest("DaemonSet", "updateStrategy: {rollingUpdate: {maxUnavailable: 15%}}"),
            ("stop-first", "maxSurge is 0", 2, 1),
        ),
        (manifest("StatefulSet", ""), ("stop-first", "a StatefulSet", 1, 1)),
        (
            manifest("Deployment", "strategy: {type: Recreate}"),
            ("stop-first", "Recreate", 2, 3),
        ),
    ],
)
def test_strategy_of_ten_replicas(tmp_path: Path, text: str, expected: tuple[Any, ...]) -> None:
    folder_of(tmp_path, text, "" if "DaemonSet" in text else "nodes: [alpha], replicas: 1")
    cloud = load_cloud(tmp_path)
    found = strategy_of(cloud.workloads["x"], cloud, 10)
    assert (found.order, found.reason, found.max_unavailable, found.max_surge) == expected


@pytest.mark.parametrize(
    ("given", "rounding", "expected"),
    [("25%", "down", 2), ("25%", "up", 3), (None, "down", 1), (4, "up", 4), ("0%", "up", 0)],
)
def test_percentages_are_rounded_as_kubernetes_does(
    given: str | int | None, rounding: Any, expected: int
) -> None:
    assert amount_of(given, 10, 1, rounding=rounding) == expected
