"""Probes, init containers and ended pods under `skerry apply` and `skerry status`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until

POD = (
    "apiVersion: v1\n"
    + """\
kind: Pod
metadata: {{name: web}}
spec:
  terminationGracePeriodSeconds: 2
  restartPolicy: {policy}
{spec}
  containers:
    - name: web
      image: {image}
      command: [sh, -c, {script!r}]
{lines}
"""
)
DEPLOYMENT = (
    "apiVersion: apps/v1\n"
    + """\
kind: Deployment
metadata: {{name: web}}
spec:
  progressDeadlineSeconds: 6
  strategy: {{type: Recreate}}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: web
          image: {image}
          command: [sh, -c, "{script} exec httpd -f -p 8080 -h /www"]
          readinessProbe:
            periodSeconds: 1
            httpGet: {{port: 8080, path: /ok}}
"""
)
STAY = "while :; do sleep 0.1; done"
ALPHA = "nodes: [alpha]"


def pod(*lines: str, script: str = STAY, policy: str = "Always", spec: str = "") -> str:
    """A pod with these lines under its container."""
    text = "\n".join(f"      {line}" for line in lines)
    return POD.format(lines=text, script=script, policy=policy, spec=spec, image=BUSYBOX_IMAGE)


def deployment(script: str) -> str:
    """A server that is ready as long as it has a page."""
    return DEPLOYMENT.format(script=script, image=BUSYBOX_IMAGE)


def rows(cloud: LiveCloud, *words: str) -> list[dict[str, Any]]:
    """The rows of `skerry status`."""
    found = cloud.json("status", *words, expect=None)["replicas"]
    assert isinstance(found, list)
    return found


def state(cloud: LiveCloud) -> str:
    """The state of the one replica."""
    return str(rows(cloud)[0]["state"])


def container(cloud: LiveCloud) -> str:
    """The name of the running container."""
    (name,) = [one for one in cloud.containers("alpha") if "skerry-web" in one]
    return name


def test_apply_waits_until_the_pod_is_ready_and_status_shows_when_it_is_not(
    cloud: LiveCloud,
) -> None:
    slow = "(sleep 4; echo ok >/www/ok) &"
    cloud.place("web", deployment(slow), ALPHA)
    done = cloud.json("apply", "--yes")["done"]["alpha"]
    assert done["health"] >= 3.5
    assert state(cloud) == "running"
    cloud.shell("alpha", f"podman exec {container(cloud)} rm /www/ok")
    wait_until(lambda: state(cloud) == "not-ready", 60, "not ready")
    assert "not-ready" in cloud.skerry("status").text
    # It runs, and that is what was asked for: nothing to do.
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    # Its probe's units are no rows.
    assert len(rows(cloud)) == 1


def test_pod_that_does_not_get_ready_is_taken_back(cloud: LiveCloud) -> None:
    cloud.place("web", deployment("echo ok >/www/ok;"), ALPHA)
    cloud.skerry("apply", "--yes")
    cloud.place("web", deployment("echo never;"), ALPHA)
    failed = cloud.skerry("apply", "--yes", expect=3).error_text
    assert "not healthy within 6 s: active/running, but not ready" in failed
    assert "readiness probe failed (3 of 3): HTTP status 404" in failed or (
        "readiness probe fails (1 of 3): HTTP status 404" in failed
    )
    assert "healthy again, as it was before" in failed
    wait_until(lambda: rows(cloud)[0]["runs"] == "running", 60, "the old pod to be ready")


def test_init_containers_are_waited_for_and_shown(cloud: LiveCloud) -> None:
    inits = "  initContainers:\n    - {{name: wait, image: {image}, command: [sh, -c, {script!r}]}}"
    good = inits.format(image=BUSYBOX_IMAGE, script="sleep 3")
    cloud.place("web", pod(spec=good), ALPHA)
    done = cloud.json("apply", "--yes")["done"]["alpha"]
    assert done["health"] >= 3
    shown = {row["container"]: row["state"] for row in rows(cloud, "-o", "+container")}
    assert shown == {"wait": "completed", "web": "running"}
    assert state(cloud) == "running"
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    bad = inits.format(image=BUSYBOX_IMAGE, script="echo no luck; exit 4")
    cloud.place("web", pod(spec=bad), ALPHA)
    failed = cloud.skerry("apply", "--yes", expect=3).error_text
    assert re.search(r"wait\.service: started again \d+ times \(exit status 4\)", failed)
    assert "no luck" in failed


def test_probe_that_is_taken_out_leaves_no_timer(cloud: LiveCloud) -> None:
    probe = "livenessProbe: {exec: {command: ['true']}, periodSeconds: 1}"
    units = "systemctl list-units --all --plain --no-legend 'skerry-web*'"
    for lines in ((probe,), ()):
        cloud.place("web", pod(*lines), ALPHA)
        cloud.skerry("apply", "--yes")
        assert ("liveness.timer" in cloud.shell("alpha", units).text) == bool(lines)
    assert cloud.shell("alpha", "systemctl --failed --plain --no-legend").text == ""
    files = "ls /etc/skerry/probes /etc/systemd/system/skerry-* 2>/dev/null"
    assert cloud.shell("alpha", files, check=False).text == ""


@pytest.mark.honours("PodSpec.restartPolicy")
def test_completed_pod_is_done_after_a_reboot_too(cloud: LiveCloud) -> None:
    cloud.place("web", pod(script="echo ran; exit 0", policy="Never"), ALPHA)
    cloud.skerry("apply", "--yes")
    wait_until(lambda: state(cloud) == "completed", 30, "its end")
    cloud.lab.node("alpha").reboot()
    wait_until(lambda: state(cloud) == "completed", 60, "it to be known after the reboot")
    ran = "journalctl -q -b -o cat -u 'skerry-web.0*.service' | grep -cx ran || true"
    assert cloud.shell("alpha", ran).text == "0"
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    # What changed is another pod, and runs.
    cloud.place("web", pod(script="echo ran; echo twice; exit 0", policy="Never"), ALPHA)
    cloud.skerry("apply", "--yes")
    assert cloud.shell("alpha", ran).text == "1"
    cloud.empty()
    assert cloud.shell("alpha", "ls /var/lib/skerry/completed").text == ""
