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
    shared.shell(NODE, "rm -rf /srv/*")
    yield shared
    shared.empty()


def job(name: str, script: str, *fields: str, policy: str = "OnFailure") -> str:
    """The manifest with a script of busybox's shell and further fields of the job's spec."""
    more = "".join(f"  {field}\n" for field in fields)
    text = JOB.replace("  suspend: false\n", more).replace("OnFailure", policy)
    return text.replace("NAME", name).replace("SCRIPT", script).replace("IMAGE", BUSYBOX_IMAGE)


def lines(cloud: LiveCloud, path: str) -> list[str]:
    return cloud.shell(NODE, f"cat {path} 2>/dev/null || true").text.split()


def states(cloud: LiveCloud) -> dict[int, str]:
    """What `skerry status` says of the pods, by number."""
    return {row["replica"]: row["state"] for row in cloud.json("status")["replicas"]}


def wait_state(cloud: LiveCloud, state: str, pod: int = 0) -> None:
    wait_until(lambda: states(cloud).get(pod) == state, 60, f"pod {pod} to be {state}")


def reboot(cloud: LiveCloud) -> None:
    """Reboots the node and waits until all that starts at boot has been started."""
    cloud.lab.node(NODE).reboot()
    script = "systemctl is-system-running"
    up = ("running", "degraded")
    wait_until(lambda: cloud.shell(NODE, script, check=False).text in up, 90, "the boot's end")


def hasten(cloud: LiveCloud, unit: str) -> None:
    """Shortens Kubernetes' waits of ten seconds and more before another try."""
    drop_in = "[Service]\\nRestartSec=100ms\\nRestartMaxDelaySec=200ms\\n"
    folder = f"/run/systemd/system/{unit}.d"
    cloud.shell(NODE, f"mkdir -p {folder}; printf '{drop_in}' >{folder}/zz.conf")


@pytest.mark.honours("Job.apiVersion", "Job.kind", "Job.metadata", "Job.spec", "JobSpec.template")
def test_a_job_runs_once(cloud: LiveCloud) -> None:
    cloud.place("once", job("once", "echo ran >>/out/log"))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    assert lines(cloud, "/srv/once/log") == ["ran"]
    cloud.skerry("apply", "--yes")
    assert lines(cloud, "/srv/once/log") == ["ran"]
    reboot(cloud)
    assert lines(cloud, "/srv/once/log") == ["ran"]
    assert states(cloud) == {0: "completed"}
    cloud.skerry("apply", "--yes")
    assert lines(cloud, "/srv/once/log") == ["ran"]
    # Something else is another job.
    cloud.place("once", job("once", "echo changed >>/out/log"))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    assert lines(cloud, "/srv/once/log") == ["ran", "changed"]


@pytest.mark.honours("JobSpec.completions", "JobSpec.parallelism", "JobSpec.completionMode")
def test_indexed_pods_run_in_lanes(cloud: LiveCloud) -> None:
    script = (
        "echo b$JOB_COMPLETION_INDEX $(hostname) >>/out/log; "
        "until [ -e /out/go$JOB_COMPLETION_INDEX ]; do sleep 0.1; done"
    )
    fields = ("completions: 5", "parallelism: 2", "completionMode: Indexed")
    cloud.place("lanes", job("lanes", script, *fields))
    cloud.skerry("apply", "--yes")
    wait_until(lambda: len(lines(cloud, "/srv/lanes/log")) == 4, 30, "two pods")
    assert sorted(lines(cloud, "/srv/lanes/log")) == ["b0", "b1", "lanes-0", "lanes-1"]
    assert states(cloud) == {0: "running", 1: "running", 2: "waiting", 3: "waiting", 4: "waiting"}
    # An apply with nothing changed starts nothing.
    cloud.skerry("apply", "--yes")
    cloud.shell(NODE, "touch /srv/lanes/go0")
    wait_state(cloud, "running", 2)
    assert states(cloud) == {0: "completed", 1: "running", 2: "running", 3: "waiting", 4: "waiting"}
    # What a reboot cuts off goes on where it was.
    reboot(cloud)
    wait_state(cloud, "running", 2)
    assert states(cloud) == {0: "completed", 1: "running", 2: "running", 3: "waiting", 4: "waiting"}
    cloud.shell(NODE, "touch /srv/lanes/go1 /srv/lanes/go2 /srv/lanes/go3 /srv/lanes/go4")
    for pod in range(5):
        wait_state(cloud, "completed", pod)
    begun = [word for word in lines(cloud, "/srv/lanes/log") if word.startswith("b")]
    assert sorted(begun) == ["b0", "b1", "b1", "b2", "b2", "b3", "b4"]


@pytest.mark.honours("JobSpec.backoffLimit")
def test_tried_again_up_to_the_limit(cloud: LiveCloud) -> None:
    # It fails when it has run for a moment: what fails at once fails the apply.
    script = "echo $(ls /own) . >>/out/log; touch /own/seen; sleep 2; exit 3"
    for policy in ("OnFailure", "Never"):
        name = f"retry-{policy.lower()}"
        hasten(cloud, f"skerry-{name}.0.service")
        cloud.place(name, job(name, script, "backoffLimit: 2", policy=policy))
    cloud.skerry("apply", "--yes")
    found = cloud.shell(NODE, "systemctl cat skerry-retry-never.0.service").text
    assert "RestartSec=10\nRestartSteps=5\nRestartMaxDelaySec=360\n" in found

    def have_failed() -> bool:
        return [row["state"] for row in cloud.json("status")["replicas"]] == ["failed", "failed"]

    wait_until(have_failed, 60, "both given up")
    # The same pod again, with what it left; or a new one each time.
    assert lines(cloud, "/srv/retry-onfailure/log") == [".", "seen", ".", "seen", "."]
    assert lines(cloud, "/srv/retry-never/log") == [".", ".", "."]
    # A failed job stays failed: at the next apply and after a reboot.
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    reboot(cloud)
    assert have_failed()
    assert lines(cloud, "/srv/retry-never/log") == [".", ".", "."]


def test_what_fails_at_once_fails_the_apply(cloud: LiveCloud) -> None:
    cloud.place("bad", job("bad", "echo no luck; exit 3"))
    failed = cloud.skerry("apply", "--yes", expect=3)
    assert "no luck" in failed.error_text + failed.text
    assert "failed at once" in failed.error_text + failed.text
    # Nothing of it is left to stand in the way of another try.
    cloud.place("bad", job("bad", "[ -e /out/mended ]"))
    cloud.shell(NODE, "mkdir -p /srv/bad; touch /srv/bad/mended")
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")


def test_a_rollback_does_not_run_the_old_job_again(cloud: LiveCloud) -> None:
    cloud.place("back", job("back", "echo one >>/out/log"))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    cloud.place("back", job("back", "echo two >>/out/log; exit 3"))
    cloud.skerry("apply", "--yes", expect=3)
    assert lines(cloud, "/srv/back/log") == ["one", "two"]
    cloud.place("back", job("back", "echo one >>/out/log"))
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    reboot(cloud)
    assert lines(cloud, "/srv/back/log") == ["one", "two"]


def test_a_rollback_for_another_cause_runs_no_old_job_again(cloud: LiveCloud) -> None:
    cloud.place("back", with_init(job("back", "echo one >>/out/log")))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    # The new one ends with success, and then something else fails.
    cloud.place("back", with_init(job("back", "echo two >>/out/log")))
    never = "{exec: {command: [/bin/busybox, 'false']}, periodSeconds: 1, failureThreshold: 5}"
    probe = f"          startupProbe: {never}\n"
    mounts = "          volumeMounts:"
    cloud.place("bad", job("bad", "sleep 1000").replace(mounts, probe + mounts))
    cloud.skerry("apply", "--yes", expect=3)
    cloud.remove("bad")
    cloud.place("back", with_init(job("back", "echo one >>/out/log")))
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    reboot(cloud)
    assert states(cloud) == {0: "completed"}
    assert lines(cloud, "/srv/back/log") == ["init", "one", "init", "two"]
    # Of what is left when another one has taken its place there is one stamp.
    cloud.place("back", with_init(job("back", "echo three >>/out/log")))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    assert lines(cloud, "/srv/back/log")[4:] == ["init", "three"]
    assert len(cloud.shell(NODE, "ls /var/lib/skerry/completed").text.split()) == 1


def with_init(text: str) -> str:
    """The job with an init container, so that its pod has a unit of its own."""
    init = (
        "      initContainers:\n        - {name: first, image: IMAGE, command: [/bin/busybox, sh, "
        "-c, 'echo init >>/out/log'], volumeMounts: [{name: out, mountPath: /out}]}\n"
    ).replace("IMAGE", BUSYBOX_IMAGE)
    return text.replace("      containers:", init + "      containers:", 1)


@pytest.mark.honours("JobSpec.activeDeadlineSeconds")
def test_the_deadline_is_for_the_whole_job(cloud: LiveCloud) -> None:
    fields = ("activeDeadlineSeconds: 6", "completions: 2", "parallelism: 2", "backoffLimit: 50")
    cloud.place("late", job("late", "echo $(date +%s) >>/out/log; sleep 1000", *fields))
    cloud.skerry("apply", "--yes")
    begun = int(lines(cloud, "/srv/late/log")[0])
    wait_state(cloud, "failed")
    gone = "systemctl is-active skerry-late.0.service skerry-late.1.service"
    wait_until(
        lambda: "active" not in cloud.shell(NODE, gone, check=False).text.split(), 60, "both down"
    )
    ended = int(
        cloud.shell(NODE, "stat -c %Y /var/lib/skerry/volumes/skerry-late.job/0/ended").text
    )
    assert 5 <= ended - begun < 20
    assert "activeDeadlineSeconds is over" in cloud.shell(NODE, "journalctl -q -o cat").text


@pytest.mark.honours("JobSpec.ttlSecondsAfterFinished")
def test_what_a_finished_job_leaves_goes_after_a_time(cloud: LiveCloud) -> None:
    cloud.place("ttl", job("ttl", "touch /own/left", "ttlSecondsAfterFinished: 3"))
    cloud.place("stays", job("stays", "touch /own/left"))
    cloud.skerry("apply", "--yes")
    listing = "ls /var/lib/skerry/volumes/skerry-*.0.own/"
    wait_until(lambda: cloud.shell(NODE, listing).text.count("left") == 2, 30, "two files")
    wait_until(lambda: cloud.shell(NODE, listing).text.count("left") == 1, 30, "one of them gone")
    assert cloud.shell(NODE, "ls /var/lib/skerry/volumes/skerry-stays.0.own/").text == "left"
    # It has run, and so does not run again.
    assert "nothing to change" in cloud.skerry("apply", "--yes").text


@pytest.mark.honours("JobSpec.suspend")
def test_a_suspended_job_waits(cloud: LiveCloud) -> None:
    script = "echo ran >>/out/log; until [ -e /out/go ]; do sleep 0.1; done"
    cloud.place("wait", job("wait", script, "suspend: true"))
    cloud.skerry("apply", "--yes")
    assert states(cloud) == {0: "waiting"}
    cloud.place("wait", job("wait", script, "suspend: false"))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "running")
    cloud.place("wait", job("wait", script, "suspend: true"))
    cloud.skerry("apply", "--yes")
    assert states(cloud) == {0: "waiting"}
    assert lines(cloud, "/srv/wait/log") == ["ran"]
    cloud.shell(NODE, "touch /srv/wait/go")
    cloud.place("wait", job("wait", script, "suspend: false"))
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    assert lines(cloud, "/srv/wait/log") == ["ran", "ran"]


def test_a_pod_of_several_containers_ends_when_all_have(cloud: LiveCloud) -> None:
    script = "echo one >>/out/log; until [ -e /out/go ]; do sleep 0.1; done"
    more = (
        "        - {name: quick, image: IMAGE, command: [/bin/busybox, sh, -c, echo two "
        ">>/out/log], volumeMounts: [{name: out, mountPath: /out}]}\n      volumes:"
    ).replace("IMAGE", BUSYBOX_IMAGE)
    cloud.place("pair", job("pair", script).replace("      volumes:", more))
    cloud.skerry("apply", "--yes")
    wait_until(lambda: len(lines(cloud, "/srv/pair/log")) == 2, 30, "both")
    assert states(cloud) != {0: "completed"}
    cloud.shell(NODE, "touch /srv/pair/go")
    wait_state(cloud, "completed")
    assert cloud.shell(NODE, "podman ps -aq; podman pod ps -q").text == ""
    reboot(cloud)
    assert states(cloud) == {0: "completed"}
    assert sorted(lines(cloud, "/srv/pair/log")) == ["one", "two"]


def test_a_failing_init_container_is_a_failure_of_the_job(cloud: LiveCloud) -> None:
    script = "echo main >>/out/log"
    init = (
        "      initContainers:\n        - {name: first, image: IMAGE, command: [/bin/busybox, sh, "
        "-c, 'echo init >>/out/log; sleep 1; [ -e /out/good ]'], "
        "volumeMounts: [{name: out, mountPath: /out}]}\n      containers:"
    ).replace("IMAGE", BUSYBOX_IMAGE)
    fields = ("backoffLimit: 0",)
    text = job("first", script, *fields, policy="Never").replace("      containers:", init, 1)
    cloud.place("first", text)
    failed = cloud.skerry("apply", "--yes", expect=3)
    assert "skerry-first.0.first.service" in failed.error_text
    assert lines(cloud, "/srv/first/log") == ["init"]
    cloud.shell(NODE, "touch /srv/first/good")
    cloud.skerry("apply", "--yes")
    wait_state(cloud, "completed")
    assert lines(cloud, "/srv/first/log") == ["init", "init", "main"]
    reboot(cloud)
    assert states(cloud) == {0: "completed"}
    assert lines(cloud, "/srv/first/log") == ["init", "init", "main"]
