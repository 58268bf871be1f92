"""Hooks, times and ends at running pods."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.live.lab_harness import wait_until
from tests.live.pod_node import PodNode, with_stop_signal

from skerry.lab import Lab

POD = (
    "apiVersion: v1\n"
    + """\
kind: Pod
metadata: {{name: web}}
spec:
  terminationGracePeriodSeconds: {grace}
  restartPolicy: {policy}
{spec}
  containers:
    - name: web
      image: IMAGE
      command: [sh, -c, {script!r}]
      volumeMounts: [{{name: out, mountPath: /out}}]
{lines}
  volumes: [{{name: out, hostPath: {{path: /srv/out, type: DirectoryOrCreate}}}}]
"""
)
UNIT = "skerry-web.0.service"
STAY = "while :; do sleep 0.1; done"
ORDERLY = f"trap 'echo term >>/out/log; exit 0' TERM; echo up >>/out/log; {STAY}"


def pod(
    *lines: str, script: str = ORDERLY, grace: int = 20, policy: str = "Always", spec: str = ""
) -> str:
    """The pod with these lines under its container."""
    text = "\n".join(f"      {line}" for line in lines)
    return POD.format(lines=text, script=script, grace=grace, policy=policy, spec=spec)


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("lifecycle")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("lifecycle"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def begin(node: PodNode, text: str, unit: str = UNIT) -> None:
    """Starts the pod, whose container is told to stop by SIGTERM."""
    node.put(with_stop_signal(node.compile({"web": text}), "TERM"))
    node.shell(f"systemctl start {unit}")


def log(node: PodNode) -> list[str]:
    """What container and hooks have written."""
    return node.read("/srv/out/log").decode().split()


def stop_seconds(node: PodNode) -> float:
    """Stops the pod; how long that took by systemd's clock."""
    node.shell(f"systemctl stop {UNIT}")
    began, ended = node.show(
        UNIT, "ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic"
    )
    return (int(ended) - int(began)) / 1e6


@pytest.mark.honours(
    "Container.lifecycle", "Lifecycle.postStart", "Lifecycle.preStop", "LifecycleHandler.exec"
)
def test_hooks_run_after_the_start_and_before_the_stop(node: PodNode) -> None:
    hooks = (
        "lifecycle:",
        "  postStart: {exec: {command: [sh, -c, 'echo hook-start >>/out/log']}}",
        "  preStop: {exec: {command: [sh, -c, 'sleep 1; echo hook-stop >>/out/log']}}",
    )
    begin(node, pod(*hooks))
    # The start waits for the hook.
    assert "hook-start" in log(node)
    wait_until(lambda: "up" in log(node), 30, "the container")
    node.shell(f"systemctl stop {UNIT}")
    assert log(node)[2:] == ["hook-stop", "term"]


def test_hook_is_not_run_where_the_container_ended_by_itself(node: PodNode) -> None:
    hooks = ("lifecycle: {preStop: {exec: {command: [sh, -c, 'echo hook-stop >>/out/log']}}}",)
    script = "echo up >>/out/log; until test -e /out/end; do sleep 0.1; done"
    begin(node, pod(*hooks, script=script, policy="OnFailure"))
    node.shell("touch /srv/out/end")
    wait_until(lambda: node.show(UNIT, "ActiveState") == ["inactive"], 30, "the end")
    assert log(node) == ["up"]


def test_failing_post_start_ends_the_container(node: PodNode) -> None:
    hooks = ("lifecycle: {postStart: {exec: {command: [sh, -c, 'echo bad luck; exit 3']}}}",)
    node.put(with_stop_signal(node.compile({"web": pod(*hooks)}), "TERM"))
    node.shell(f"systemctl --no-block start {UNIT}")
    wait_until(lambda: int(node.show(UNIT, "NRestarts")[0]) >= 1, 60, "a restart")
    said = node.log(UNIT, "postStart hook failed")
    assert "postStart hook failed: exit status 3: bad luck; the container is stopped" in said


@pytest.mark.honours("LifecycleHandler.sleep", "SleepAction.seconds")
def test_sleep_before_the_stop(node: PodNode) -> None:
    begin(node, pod("lifecycle: {preStop: {sleep: {seconds: 3}}}"))
    wait_until(lambda: "up" in log(node), 30, "the container")
    assert stop_seconds(node) >= 3
    assert log(node) == ["up", "term"]


@pytest.mark.honours("LifecycleHandler.httpGet")
def test_http_hook_is_a_request_to_the_pod(node: PodNode) -> None:
    server = "echo up >>/out/log; cd /out; exec httpd -f -vv -p 8080 -h /out 2>>/out/requests"
    hook = "lifecycle: {preStop: {httpGet: {port: 8080, path: /nothing-here}}}"
    begin(node, pod(hook, script=server, grace=2))
    wait_until(lambda: "up" in log(node), 30, "the container")
    node.shell(f"systemctl stop {UNIT}")
    # Whatever the answer is, it has been told.
    assert b"/nothing-here" in node.read("/srv/out/requests") or b"404" in node.read(
        "/srv/out/requests"
    )
    assert "preStop hook failed" not in node.log(UNIT, "Stopped")


@pytest.mark.honours("PodSpec.terminationGracePeriodSeconds")
def test_stop_has_its_time_and_not_more(node: PodNode) -> None:
    slow = f"trap 'sleep 3; echo term >>/out/log; exit 0' TERM; echo up >>/out/log; {STAY}"
    begin(node, pod(script=slow, grace=20))
    wait_until(lambda: "up" in log(node), 30, "the container")
    assert 3 <= stop_seconds(node) < 15
    assert log(node) == ["up", "term"]
    node.clean()
    begin(node, pod(script=f"trap '' TERM; echo up >>/out/log; {STAY}", grace=3))
    wait_until(lambda: "up" in log(node), 30, "the container")
    assert 2.5 <= stop_seconds(node) < 15


def test_late_pre_stop_leaves_two_seconds_for_the_container(node: PodNode) -> None:
    begin(node, pod("lifecycle: {preStop: {exec: {command: [sleep, '60']}}}", grace=3))
    wait_until(lambda: "up" in log(node), 30, "the container")
    assert 3 <= stop_seconds(node) < 20
    assert log(node) == ["up", "term"]
    node.log(UNIT, "preStop hook failed: no answer within 3 s")


@pytest.mark.honours("PodSpec.activeDeadlineSeconds")
def test_pod_ends_when_its_time_is_over_and_stays_so(node: PodNode) -> None:
    unit = "skerry-web.0-pod.service"
    begin(node, pod(spec="  activeDeadlineSeconds: 4"), unit)
    wait_until(lambda: "up" in log(node), 30, "the container")
    # A restart of the container gives it no more time.
    node.shell("podman kill --signal KILL skerry-web.0.web")
    wait_until(lambda: node.show(unit, "ActiveState") == ["inactive"], 60, "the end")
    began, ended = node.show(
        unit, "ActiveEnterTimestampMonotonic", "InactiveEnterTimestampMonotonic"
    )
    assert 3.5 <= (int(ended) - int(began)) / 1e6 < 20
    node.log(unit, "activeDeadlineSeconds")
    assert node.read("/var/lib/skerry/completed/skerry-web.0-pod") == b"deadline 0\n"
    node.shell(f"systemctl start {unit} skerry-web.0.web.service", check=False)
    assert node.show(unit, "ActiveState") == ["inactive"]
    assert node.shell("podman ps -q").text == ""


@pytest.mark.honours("PodSpec.restartPolicy")
def test_pod_that_has_completed_does_not_run_after_a_reboot(node: PodNode) -> None:
    begin(node, pod(script="echo ran >>/out/log; exit 0", policy="OnFailure"))
    wait_until(lambda: node.show(UNIT, "ActiveState") == ["inactive"], 30, "the end")
    assert log(node) == ["ran"]
    node.node.reboot()
    wait_until(lambda: node.show(UNIT, "ConditionResult") == ["no"], 30, "the look at it")
    assert node.show(UNIT, "ActiveState") == ["inactive"]
    assert log(node) == ["ran"]


def test_pod_that_was_told_to_stop_has_not_completed(node: PodNode) -> None:
    """A shutdown tells every program to stop, and an orderly one ends with success."""
    begin(node, pod(policy="OnFailure"))
    wait_until(lambda: "up" in log(node), 30, "the container")
    node.shell(f"systemctl stop {UNIT}")
    node.shell(f"systemctl start {UNIT}")
    wait_until(lambda: log(node) == ["up", "term", "up"], 30, "the container again")
