"""Jobs on a node: run once, in lanes, tried again, given up; across a reboot and an apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.live.cloud_fixtures import make_live_cloud
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import wait_until

from skerry.lab import Lab

NODE = "alpha"
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: NAME}
spec:
  suspend: false
  template:
    spec:
      restartPolicy: OnFailure
      containers:
        - name: work
          image: IMAGE
          command: [/bin/busybox, sh, -c]
          args: ['SCRIPT']
          volumeMounts: [{name: out, mountPath: /out}, {name: own, mountPath: /own}]
      volumes:
        - {name: out, hostPath: {path: /srv/NAME, type: DirectoryOrCreate}}
        - {name: own, emptyDir: {}}
"""


@pytest.fixture(scope="module")
def shared(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> LiveCloud:
    """A cloud of one node for this file."""
    lab = new_lab("jobs")
    lab.up(nodes=1, with_podman=True)
    build_busybox_image()
    return make_live_cloud(lab, tmp_path_factory.mktemp("jobs"))


@pytest.fixture
def cloud(shared: LiveCloud) -> Iterator[LiveCloud]:
    """The cloud, with nothing running on it before and after."""
    shared.empty()
    shared.ssh(NODE, "rm -rf /srv/*")
    yield shared
    shared.empty()


def job(name: str, script: str, *fields: str, policy: str = "OnFailure") -> str:
    """The manifest with a script of busybox's shell and further fields of the job's spec."""
    more = "".join(f"  {field}\n" for field in fields)
    text = JOB.replace("  suspend: false\n", more).replace("OnFailure", policy)
    return text.replace("NAME", name).replace("SCRIPT", script).replace("IMAGE", BUSYBOX_IMAGE)


def lines(cloud: LiveCloud, path: str) -> list[str]:
    return cloud.ssh(NODE, f"cat {path} 2>/dev/null || true").text.split()


def states(cloud: LiveCloud) -> dict[int, str]:
    """What `skerry status` says of the pods, by number."""
    return {row["replica"]: row["state"] for row in cloud.json("status")["replicas"]}


def wait_state(cloud: LiveCloud, state: str, pod: int = 0) -> None:
    wait_until(lambda: states(cloud).get(pod) == state, 60, f"pod {pod} to be {state}")


@pytest.mark.honours("JobSpec.template", "PodSpec.restartPolicy")
def test_a_job_runs_once(cloud: LiveCloud) -> None:
    cloud.place("once", job("once", "echo ran >>/out/log"))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    assert lines(cloud, "/srv/once/log") == ["ran"]
    cloud.skerry("apply", "--yes")
    assert lines(cloud, "/srv/once/log") == ["ran"]
    cloud.lab.node(NODE).reboot()
    wait_until(lambda: cloud.ssh(NODE, "systemctl is-system-running", check=False).text
               in ("running", "degraded"), 60, "the boot's end")  # fmt: skip
    assert lines(cloud, "/srv/once/log") == ["ran"]
    assert states(cloud) == {0: "completed"}
    cloud.skerry("apply", "--yes")
    assert lines(cloud, "/srv/once/log") == ["ran"]
    # Something else is another job.
    cloud.place("once", job("once", "echo changed >>/out/log"))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    assert lines(cloud, "/srv/once/log") == ["ran", "changed"]
