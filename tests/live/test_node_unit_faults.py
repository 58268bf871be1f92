"""Units that do not come up, or do not go down: the node goes back, and says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.live.broken_node import BrokenNode
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.seen import Seen

COMMAND = 'command: [/bin/busybox]\n      args: [httpd, -f, -p, "8080", -h, /www]'
NEVER_READY = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: late}}
spec:
  progressDeadlineSeconds: 5
  strategy: {{type: Recreate}}
  selector: {{matchLabels: {{app: late}}}}
  template:
    metadata: {{labels: {{app: late}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: late
          image: {image}
          command: [sh, -c, "echo up; sleep 3600"]
          readinessProbe:
            periodSeconds: 1
            exec: {{command: [test, -e, /never]}}
"""


@pytest.fixture
def node(live_cloud: LiveCloud) -> Iterator[BrokenNode]:
    """A node with two pods that run."""
    broken = BrokenNode(live_cloud)
    broken.begin()
    yield broken
    live_cloud.empty()


def error_line(told: str) -> str:
    """The one line of an error that is the same in every run."""
    return next(line for line in told.splitlines() if line.startswith("error: "))


@pytest.mark.fault("unit-fails")
def test_unit_that_fails(node: BrokenNode, seen: Seen) -> None:
    node.change(replaced=(COMMAND, COMMAND.replace("busybox", "none", 1)))
    seen(**node.fail(says="started again 3 times"))
    assert node.page() == "page 1"
    node.change()
    node.mend()


@pytest.mark.fault("unit-flaps")
def test_unit_that_starts_and_falls_over(node: BrokenNode, seen: Seen) -> None:
    node.change(replaced=(COMMAND, "command: [sh, -c, 'echo no luck; exit 3']"))
    seen(**node.fail(says="started again 3 times (exit status 3)"))
    assert node.page() == "page 1"
    node.change()
    node.mend()


@pytest.mark.fault("unit-never-healthy")
def test_unit_that_never_becomes_healthy(node: BrokenNode, seen: Seen) -> None:
    node.cloud.place("late", NEVER_READY.format(image=BUSYBOX_IMAGE), "nodes: [alpha]")
    told = node.fail(says="not healthy within 5 s")
    seen(error_line(told["text"]), typed=told["typed"])
    node.cloud.remove("late")
    node.mend(restarted=())


@pytest.mark.fault("probe-takes-its-time")
def test_probe_that_takes_all_of_its_time(node: BrokenNode, seen: Seen) -> None:
    """One that hangs for good is a failure; one that answers at its last moment is none."""
    ports = "      ports:\n"
    probe = (
        "      startupProbe:\n"
        "        exec: {{command: [sleep, '{}']}}\n"
        "        timeoutSeconds: 4\n"
        "        periodSeconds: 1\n"
        "        failureThreshold: 1\n"
    )
    node.change(replaced=(ports, probe.format(60) + ports))
    told = node.fail(says="started again 3 times")
    seen(error_line(told["text"]), typed=told["typed"])
    assert node.page() == "page 1"
    node.change(replaced=(ports, probe.format(3) + ports))
    node.mend()


@pytest.mark.fault("unit-never-stops")
def test_unit_that_takes_long_to_stop(node: BrokenNode, seen: Seen) -> None:
    """The operator hears of it all the while, or it would think that the node is gone."""
    ports = "      ports:\n"
    slow = "      lifecycle: {preStop: {exec: {command: [sleep, '25']}}}\n"
    node.change(replaced=(ports, slow + ports))
    node.cloud.skerry("apply", "--yes")
    node.cloud.remove("web")
    removed = node.cloud.skerry("apply", "--yes")
    told = removed.text + removed.error_text
    assert told.count("waiting for skerry-web.0.service") >= 2, told
    assert any("waiting for skerry-web.0.service" in line for line in told.splitlines())
    seen("  alpha  waiting for skerry-web.0.service", typed="skerry apply --yes")
    node.change()
    node.mend()
