"""Init containers and sidecars at running pods: order, retries, what stops last, what ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.live.lab_harness import wait_until
from tests.live.pod_node import PodNode, with_stop_signal

from skerry.lab import Lab

# Each container writes a line into the volume that they share.
POD = (
    "apiVersion: v1\n"
    + """\
kind: Pod
metadata: {{name: app}}
spec:
  terminationGracePeriodSeconds: {grace}
  restartPolicy: {policy}
  initContainers:
{inits}
  containers:
    - name: main
      image: IMAGE
      command: [sh, -c, {main!r}]
      volumeMounts: [{{name: shared, mountPath: /s}}]
  volumes: [{{name: shared, emptyDir: {{}}}}]
"""
)
MAIN = "skerry-app.0.main.service"
POD_UNIT = "skerry-app.0-pod.service"
STAY = "while :; do sleep 0.1; done"


def init(name: str, script: str, *lines: str) -> str:
    """An init container with this script."""
    more = "".join(f"\n      {line}" for line in lines)
    return (
        f"    - name: {name}\n      image: IMAGE\n      command: [sh, -c, {script!r}]\n"
        f"      volumeMounts: [{{name: shared, mountPath: /s}}]{more}"
    )


def pod(*inits: str, main: str = "", policy: str = "Always", grace: int = 5) -> str:
    """A pod with these init containers."""
    script = main or f"echo main >>/s/log; {STAY}"
    return POD.format(inits="\n".join(inits), main=script, policy=policy, grace=grace)


def sidecar(name: str, script: str, *lines: str) -> str:
    """A sidecar with this script."""
    return init(name, script, "restartPolicy: Always", *lines)


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("init")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("init"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def lines(node: PodNode, file: str = "log") -> list[str]:
    """What the containers have written."""
    return node.read(f"/var/lib/skerry/volumes/skerry-app.0.shared/{file}").decode().split()


def begin(node: PodNode, text: str) -> None:
    """Puts the pod on the node and starts it without waiting."""
    node.put(node.compile({"app": text}))
    node.shell(f"systemctl --no-block start {POD_UNIT}")


@pytest.mark.honours("PodSpec.initContainers")
def test_init_containers_run_one_after_the_other_before_the_main_one(node: PodNode) -> None:
    wait = "until test -e /s/go; do sleep 0.1; done; "
    begin(
        node,
        pod(
            init("one", f"echo one >>/s/log; {wait} echo one-ends >>/s/log"),
            init("two", "echo two >>/s/log; sleep 1; echo two-ends >>/s/log"),
        ),
    )
    wait_until(lambda: lines(node) == ["one"], 30, "the first")
    assert node.show(MAIN, "ActiveState") == ["inactive"]
    node.shell("touch /var/lib/skerry/volumes/skerry-app.0.shared/go")
    wait_until(lambda: "main" in lines(node), 30, "the main one")
    assert lines(node) == ["one", "one-ends", "two", "two-ends", "main"]
    # They are done: nothing of them runs.
    assert node.show("skerry-app.0.one.service", "ActiveState", "SubState") == ["active", "exited"]
    assert "skerry-app.0.one" not in node.shell("podman ps -a --format '{{.Names}}'").text.split()


def test_main_container_alone_is_restarted_without_them(node: PodNode) -> None:
    begin(node, pod(init("one", "echo one >>/s/log")))
    wait_until(lambda: lines(node) == ["one", "main"], 30, "the main one")
    node.shell("podman kill skerry-app.0.main")
    wait_until(lambda: lines(node) == ["one", "main", "main"], 30, "the main one again")
    # The pod as a whole does it all again.
    node.shell(f"systemctl restart {POD_UNIT}")
    wait_until(lambda: lines(node)[3:] == ["one", "main"], 60, "all of it again")


def test_failing_init_is_tried_again(node: PodNode) -> None:
    script = "echo try >>/s/log; test $(grep -c try /s/log) -ge 3"
    begin(node, pod(init("one", script)))
    node.wait_active(MAIN, timeout=60)
    wait_until(lambda: "main" in lines(node), 30, "the main one")
    assert lines(node) == ["try", "try", "try", "main"]
    assert node.show("skerry-app.0.one.service", "NRestarts") == ["2"]
    # Its failures were not those of the one that waited.
    assert "Dependency failed" not in node.log(MAIN, "Started")


def test_failing_init_of_a_pod_that_is_never_restarted_ends_it(node: PodNode) -> None:
    begin(node, pod(init("one", "echo try >>/s/log; exit 4"), policy="Never"))
    failed = ["failed", "4"]
    wait_until(
        lambda: node.show("skerry-app.0.one.service", "ActiveState", "ExecMainStatus") == failed,
        30,
        "its failure",
    )
    assert lines(node) == ["try"]
    assert node.show(MAIN, "ActiveState") == ["inactive"]


@pytest.mark.honours("Container.restartPolicy")
def test_sidecar_is_up_before_and_stops_after_the_main_one(node: PodNode) -> None:
    end = "trap 'echo {0}-ends >>/s/log; exit 0' TERM; echo {0} >>/s/log; " + STAY
    start = (
        "startupProbe: {exec: {command: [test, -e, /s/go]}, periodSeconds: 1, failureThreshold: 60}"
    )
    text = pod(
        sidecar("side", end.format("side"), start),
        main="trap 'sleep 1; echo main-ends >>/s/log; exit 0' TERM; echo main >>/s/log; " + STAY,
        grace=20,
    )
    node.put(with_stop_signal(node.compile({"app": text}), "TERM"))
    node.shell(f"systemctl --no-block start {POD_UNIT}")
    wait_until(lambda: lines(node) == ["side"], 30, "the sidecar")
    # Its startup probe has not passed.
    assert node.show(MAIN, "ActiveState") == ["inactive"]
    node.shell("touch /var/lib/skerry/volumes/skerry-app.0.shared/go")
    wait_until(lambda: lines(node) == ["side", "main"], 30, "the main one")
    # It is restarted by itself, and the main one does not notice.
    node.shell("podman kill --signal KILL skerry-app.0.side")
    wait_until(lambda: lines(node) == ["side", "main", "side"], 60, "the sidecar again")
    assert node.show(MAIN, "NRestarts") == ["0"]
    node.wait_active("skerry-app.0.side.service", MAIN)
    node.shell(f"systemctl stop {POD_UNIT}")
    assert lines(node)[3:] == ["main-ends", "side-ends"]


def test_pod_that_completes_ends_with_its_sidecars(node: PodNode) -> None:
    begin(
        node,
        pod(
            sidecar("side", f"echo side >>/s/log; {STAY}"),
            main="echo main >>/s/log; exit 0",
            policy="Never",
        ),
    )
    wait_until(lambda: node.show(POD_UNIT, "ActiveState") == ["inactive"] and
               node.read("/var/lib/skerry/completed/skerry-app.0-pod"), 60, "its end")  # fmt: skip
    assert node.shell("podman ps -aq; podman pod ls -q").text == ""
    assert lines(node) == ["side", "main"]
    # It has ended for good.
    node.shell(f"systemctl start {POD_UNIT}")
    assert node.show(POD_UNIT, "ActiveState", "ConditionResult") == ["inactive", "no"]


def test_sidecars_share_the_time_that_the_pod_has_to_stop(node: PodNode) -> None:
    """Neither heeds SIGTERM; 4 s for both, of which the sidecar always gets 2."""
    text = pod(sidecar("side", STAY), main=STAY, grace=4)
    node.put(with_stop_signal(node.compile({"app": text}), "TERM"))
    node.shell(f"systemctl start {POD_UNIT}")
    node.wait_active(MAIN, "skerry-app.0.side.service")
    node.shell(f"systemctl stop {POD_UNIT}")
    main, side = (
        [int(part) for part in node.show(f"skerry-app.0.{name}.service",
         "ActiveExitTimestampMonotonic", "InactiveEnterTimestampMonotonic")]
        for name in ("main", "side")
    )  # fmt: skip
    took = (main[1] - main[0]) / 1e6
    assert took >= 3.5
    assert side[0] >= main[1] - 1000
    # Not four seconds more.
    assert (side[1] - side[0]) / 1e6 < took
