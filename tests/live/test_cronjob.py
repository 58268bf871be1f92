"""Cron jobs on a node: they fire, overlap or do not, keep records, and outlive a reboot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.live.cloud_fixtures import make_live_cloud
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import wait_until

from skerry.edge.run import Command, run
from skerry.lab import Lab

NODE = "alpha"
CRON = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: NAME}
spec:
  schedule: "SCHEDULE"
  suspend: false
  jobTemplate:
    metadata: {labels: {made-by: NAME}}
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
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
# Runs until the test lets it end.
LONG = "echo begun >>/out/log; until [ -e /out/go ]; do sleep 0.1; done; echo ended >>/out/log"
NEVER = "0 0 1 1 *"


@pytest.fixture(scope="module")
def shared(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> LiveCloud:
    """A cloud of one node for this file."""
    lab = new_lab("cron")
    lab.up(nodes=1, with_podman=True)
    build_busybox_image()
    return make_live_cloud(lab, tmp_path_factory.mktemp("cron"))


@pytest.fixture
def cloud(shared: LiveCloud) -> Iterator[LiveCloud]:
    """The cloud, with nothing running on it before and after."""
    shared.empty()
    shared.shell(NODE, "rm -rf /srv/*")
    yield shared
    shared.empty()


def cron(name: str, script: str, *fields: str, schedule: str = NEVER) -> str:
    """The manifest with a script of busybox's shell and further fields of the spec."""
    more = "".join(f"  {field}\n" for field in fields)
    text = CRON.replace("  suspend: false\n", more).replace("SCHEDULE", schedule)
    return text.replace("NAME", name).replace("SCRIPT", script).replace("IMAGE", BUSYBOX_IMAGE)


def lines(cloud: LiveCloud, name: str) -> list[str]:
    return cloud.shell(NODE, f"cat /srv/{name}/log 2>/dev/null || true").text.split()


def fire(cloud: LiveCloud, name: str) -> None:
    """What the timer does at its time."""
    cloud.shell(NODE, f"systemctl start skerry-{name}.cron.service")


def row(cloud: LiveCloud, name: str) -> dict[str, object]:
    """The cron job's one row of `skerry status`."""
    [found] = [one for one in cloud.json("status")["replicas"] if one["workload"] == name]
    return dict(found)


def wait_last(cloud: LiveCloud, name: str, result: str) -> None:
    """Waits until no job runs and the last one ended so."""

    def has_ended() -> bool:
        found = row(cloud, name)
        return (found["state"], found["last"]) == ("scheduled", result)

    wait_until(has_ended, 60, f"{name} to end with {result}")


def reboot(cloud: LiveCloud) -> None:
    """Reboots the node and waits until all that starts at boot has been started."""
    cloud.lab.node(NODE).reboot()
    script = "systemctl is-system-running"
    up = ("running", "degraded")
    wait_until(lambda: cloud.shell(NODE, script, check=False).text in up, 90, "the boot's end")


@pytest.mark.honours(
    "CronJob.apiVersion", "CronJob.kind", "CronJob.metadata", "CronJob.spec",
    "CronJobSpec.schedule", "CronJobSpec.jobTemplate",
    "JobTemplateSpec.metadata", "JobTemplateSpec.spec",
)  # fmt: skip
def test_it_fires_by_the_clock_also_after_a_reboot(cloud: LiveCloud) -> None:
    cloud.place("tick", cron("tick", "echo ran; echo ran >>/out/log", schedule="* * * * *"))
    cloud.skerry("apply", "--yes")
    # The minute may turn just now.
    wait_until(lambda: row(cloud, "tick")["state"] == "scheduled", 30, "the run to be over")
    assert 0 < float(str(row(cloud, "tick")["next_in"])) <= 61
    reboot(cloud)
    assert "skerry-tick.cron.timer" in cloud.shell(NODE, "systemctl list-timers").text
    wait_until(lambda: lines(cloud, "tick"), 90, "a full minute")
    second = cloud.shell(NODE, "date -d @$(stat -c %Y /srv/tick/log) +%S").text
    assert int(second) < 30
    wait_last(cloud, "tick", "success")
    assert "ran" in cloud.skerry("logs", "tick").text
    table = cloud.skerry("status").text
    assert "LAST" in table and "success" in table and "NEXT" in table


@pytest.mark.honours("CronJobSpec.concurrencyPolicy")
def test_runs_that_overlap(cloud: LiveCloud) -> None:
    for policy in ("Allow", "Forbid", "Replace"):
        name = policy.lower()
        cloud.place(name, cron(name, LONG, f"concurrencyPolicy: {policy}"))
    cloud.skerry("apply", "--yes")
    for name in ("allow", "forbid", "replace"):
        fire(cloud, name)
        wait_until(lambda: lines(cloud, name) == ["begun"], 30, "the first run")  # noqa: B023
        assert row(cloud, name)["state"] == "running"
        fire(cloud, name)
    for name in ("allow", "replace"):
        wait_until(lambda: lines(cloud, name) == ["begun", "begun"], 60, "the second")  # noqa: B023
    log = cloud.shell(NODE, "journalctl -q -o cat -u skerry-forbid.cron.service").text
    assert "left out: the run before goes on (concurrencyPolicy Forbid)" in log
    assert sorted(cloud.containers(NODE)) == [
        "skerry-allow.0", "skerry-allow.1", "skerry-forbid.0", "skerry-replace.0",
    ]  # fmt: skip
    # A change is for the next runs; these go on.
    cloud.place("forbid", cron("forbid", "exit 0", "concurrencyPolicy: Forbid"))
    cloud.skerry("apply", "--yes")
    for name in ("allow", "forbid", "replace"):
        cloud.shell(NODE, f"touch /srv/{name}/go")
    for name in ("allow", "forbid", "replace"):
        wait_last(cloud, name, "success")
    assert lines(cloud, "allow") == ["begun", "begun", "ended", "ended"]
    assert lines(cloud, "forbid") == ["begun", "ended"]
    # The first was ended by the second, and that is in the records.
    assert lines(cloud, "replace") == ["begun", "begun", "ended"]
    records = "cat /var/lib/skerry/volumes/skerry-replace.cron/runs/*"
    assert "replaced" in cloud.shell(NODE, records).text


def test_each_run_of_one_second_has_its_record(cloud: LiveCloud) -> None:
    cloud.place("quick", cron("quick", "exit 0", "successfulJobsHistoryLimit: 20"))
    cloud.skerry("apply", "--yes")
    unit, base = "skerry-quick.cron.service", "/var/lib/skerry/volumes/skerry-quick.cron"
    # systemd lets a unit be started five times in ten seconds.
    script = (
        f"for count in 1 2 3 4 5; do systemctl start {unit}; "
        f'for look in $(seq 600); do [ -e "{base}/0/ended" ] && break; sleep 0.05; done; done; '
        f"flock {base}/lock ls {base}/runs"
    )
    records = cloud.shell(NODE, script).text.split()
    assert len(records) == 5
    wait_last(cloud, "quick", "success")


@pytest.mark.honours("CronJobSpec.successfulJobsHistoryLimit", "CronJobSpec.failedJobsHistoryLimit")
def test_records_are_kept_up_to_the_limits(cloud: LiveCloud) -> None:
    script = "echo $(ls /own) . >>/out/log; touch /own/x; [ -e /out/good ]"
    limits = ("successfulJobsHistoryLimit: 2", "failedJobsHistoryLimit: 1")
    cloud.place("kept", cron("kept", script, *limits))
    cloud.skerry("apply", "--yes")

    def records() -> list[str]:
        command = "cat /var/lib/skerry/volumes/skerry-kept.cron/runs/* 2>/dev/null || true"
        return sorted(line.split()[1] for line in cloud.shell(NODE, command).text.splitlines())

    for count in (1, 2):
        fire(cloud, "kept")
        wait_until(lambda: len(lines(cloud, "kept")) == count, 30, "a run")  # noqa: B023
        wait_last(cloud, "kept", "exit-code")
    assert records() == ["exit-code"]
    cloud.shell(NODE, "touch /srv/kept/good")
    for count in (3, 4, 5):
        fire(cloud, "kept")
        wait_until(lambda: len(lines(cloud, "kept")) == count, 30, "a run")  # noqa: B023
        wait_last(cloud, "kept", "success")
    assert records() == ["exit-code", "success", "success"]
    # Each was a new pod.
    assert lines(cloud, "kept") == ["."] * 5
    # They go with the cron job.
    cloud.remove("kept")
    cloud.skerry("apply", "--yes")
    assert cloud.shell(NODE, "ls /var/lib/skerry/volumes").text == ""
    assert "skerry" not in cloud.shell(NODE, "systemctl list-timers --all").text


@pytest.mark.honours("CronJobSpec.suspend")
def test_a_suspended_one_has_no_timer(cloud: LiveCloud) -> None:
    cloud.place("asleep", cron("asleep", "echo ran >>/out/log", "suspend: true"))
    cloud.skerry("apply", "--yes")
    assert row(cloud, "asleep")["state"] == "suspended"
    assert "skerry-asleep" not in cloud.shell(NODE, "systemctl list-timers --all").text
    cloud.place("asleep", cron("asleep", "echo ran >>/out/log"))
    cloud.skerry("apply", "--yes")
    assert row(cloud, "asleep")["state"] == "scheduled"
    assert lines(cloud, "asleep") == []


@pytest.mark.honours("CronJobSpec.timeZone")
def test_the_time_zone_is_the_schedules(cloud: LiveCloud) -> None:
    # Noon of Kathmandu is a quarter past six of UTC, all year round.
    cloud.place("noon", cron("noon", "exit 0", "timeZone: Asia/Kathmandu", schedule="0 12 * * *"))
    cloud.skerry("apply", "--yes")
    show = "TZ=UTC systemctl show -P NextElapseUSecRealtime skerry-noon.cron.timer"
    assert cloud.shell(NODE, show).text.split()[2] == "06:15:00"


@pytest.mark.honours("CronJobSpec.startingDeadlineSeconds")
def test_what_comes_too_late_is_left_out(cloud: LiveCloud) -> None:
    """The node was off: what was missed is run once, where it is not too late for it."""
    names = {"kept": "startingDeadlineSeconds: 90000", "missed": "startingDeadlineSeconds: 5"}
    # Two minutes ago by the node's clock, and not again today.
    past = cloud.shell(NODE, "TZ=UTC date -d '-2 minutes' '+%-M %-H'").text
    for name, field in names.items():
        text = cron(name, "echo ran >>/out/log", field, schedule=f"{past} * * *")
        cloud.place(name, text)
    cloud.skerry("apply", "--yes")
    assert (lines(cloud, "kept"), lines(cloud, "missed")) == ([], [])
    # As if it had last run an hour ago, and then the node had been off.
    for name in names:
        stamp = f"/var/lib/systemd/timers/stamp-skerry-{name}.cron.timer"
        cloud.shell(NODE, f"touch -d '-1 hour' {stamp}")
    reboot(cloud)
    wait_until(lambda: lines(cloud, "kept") == ["ran"], 60, "the missed run")
    log = "journalctl -q -o cat -u skerry-missed.cron.service"
    wait_until(
        lambda: "left out: more than 5 s late" in cloud.shell(NODE, log).text, 60, "the word"
    )
    assert lines(cloud, "missed") == []


def test_a_run_goes_on_after_a_reboot(cloud: LiveCloud) -> None:
    cloud.place("cut", cron("cut", LONG))
    cloud.skerry("apply", "--yes")
    reboot(cloud)
    assert lines(cloud, "cut") == []
    fire(cloud, "cut")
    wait_until(lambda: lines(cloud, "cut") == ["begun"], 30, "the run")
    reboot(cloud)
    wait_until(lambda: lines(cloud, "cut") == ["begun", "begun"], 60, "the run again")
    cloud.shell(NODE, "touch /srv/cut/go")
    wait_last(cloud, "cut", "success")


def test_a_run_that_somebody_stopped_is_in_nobodys_way(cloud: LiveCloud) -> None:
    cloud.place("halt", cron("halt", LONG, "concurrencyPolicy: Forbid"))
    cloud.skerry("apply", "--yes")
    fire(cloud, "halt")
    wait_until(lambda: lines(cloud, "halt") == ["begun"], 30, "the run")
    cloud.shell(NODE, "systemctl stop skerry-halt.0.service")
    fire(cloud, "halt")
    wait_until(lambda: lines(cloud, "halt") == ["begun", "begun"], 30, "the next run")
    assert row(cloud, "halt")["last"] == "interrupted"
    cloud.shell(NODE, "touch /srv/halt/go")
    wait_last(cloud, "halt", "success")


# https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/, unchanged.
HELLO = """\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: hello
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - name: hello
            image: busybox:1.28
            imagePullPolicy: IfNotPresent
            command:
            - /bin/sh
            - -c
            - date; echo Hello from the Kubernetes cluster
          restartPolicy: OnFailure
"""


def test_the_cron_job_of_the_documentation(cloud: LiveCloud) -> None:
    # The name stays: `podman untag` with one name takes all names of the image away.
    run(Command.of("podman", "tag", BUSYBOX_IMAGE, "docker.io/library/busybox:1.28"))
    cloud.place("hello", HELLO)
    cloud.skerry("apply", "--yes")
    fire(cloud, "hello")
    wait_last(cloud, "hello", "success")
    assert "Hello from the Kubernetes cluster" in cloud.skerry("logs", "hello").text
