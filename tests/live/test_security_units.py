"""How far the units that Skerry writes are confined, as systemd itself rates it: docs/security.md
shows the figures, and they may not get worse."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.lab_harness import wait_until

# systemd-analyze rates from 0 (can do nothing) to 10 (can do all that root can).
RATINGS = Path(__file__).parent / "unit_exposure.json"
# By the names that a unit of each kind has on the node; @ is a revision, or none.
KINDS = {
    "container": r"skerry-looked\.0@\.main\.service",
    "init container": r"skerry-looked\.0@\.first\.service",
    "pod of several containers": r"skerry-looked\.0@-pod\.service",
    "look by HTTP": r"skerry-looked\.0@\.main_readiness\.service",
    "look by TCP": r"skerry-looked\.0@\.main_liveness\.service",
    "look by a command": r"skerry-asked\.0@_readiness\.service",
    "end of a pod's time": r"skerry-looked\.0@_deadline\.service",
    "begin of a cron job": r"skerry-often\.cron\.service",
    "end of a job's time": r"skerry-often\.deadline-0\.service",
    "what a job left goes": r"skerry-often\.ttl-0\.service",
    "switch to a generation": r"skerry-activate-\d+\.service",
}
PODS = {
    "looked": f"""\
apiVersion: v1
kind: Pod
metadata: {{name: looked}}
spec:
  activeDeadlineSeconds: 86400
  initContainers: [{{name: first, image: {BUSYBOX_IMAGE}, command: ["true"]}}]
  containers:
    - name: main
      image: {BUSYBOX_IMAGE}
      command: [sh, -c, "echo x >/www/index.html; exec httpd -f -p 8080 -h /www"]
      readinessProbe: {{httpGet: {{path: /, port: 8080}}, periodSeconds: 1}}
      livenessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1, initialDelaySeconds: 2}}
""",
    "asked": f"""\
apiVersion: v1
kind: Pod
metadata: {{name: asked}}
spec:
  containers:
    - name: main
      image: {BUSYBOX_IMAGE}
      command: [sleep, "100000"]
      readinessProbe: {{exec: {{command: ["true"]}}, periodSeconds: 1}}
""",
    "often": f"""\
apiVersion: batch/v1
kind: CronJob
metadata: {{name: often}}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      activeDeadlineSeconds: 86400
      ttlSecondsAfterFinished: 86400
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: {BUSYBOX_IMAGE}
              command: [sh, -c, "while [ ! -e /go/on ]; do sleep 0.1; done"]
              volumeMounts: [{{name: go, mountPath: /go}}]
          volumes: [{{name: go, hostPath: {{path: /run/go, type: DirectoryOrCreate}} }}]
""",
}
_SHOWN = re.compile(r"Overall exposure level for .*: (\d+\.\d)")


def rate(cloud: LiveCloud, pattern: str) -> float | None:
    """What systemd says of a unit that it knows at this moment; None while there is none."""
    pattern = pattern.replace("@", "(-[0-9a-f]{8})?")
    list_units = "systemctl list-units --all --plain --no-legend 'skerry-*.service'"
    names = [line.split()[0] for line in cloud.shell("alpha", list_units).text.splitlines()]
    name = next((name for name in names if re.fullmatch(pattern, name)), None)
    if name is None:
        return None
    words = f"systemd-analyze security --no-pager {name}"
    found = _SHOWN.search(cloud.shell("alpha", words, check=False).text)
    return float(found[1]) if found else None


@pytest.mark.claims("units-confined")
def test_no_kind_of_unit_may_do_more_than_is_written_down(cloud: LiveCloud) -> None:
    for name, manifest in PODS.items():
        cloud.place(name, manifest, "nodes: [alpha]")
    rated: dict[str, float] = {}

    def look(kind: str) -> bool:
        found = rate(cloud, KINDS[kind])
        if found is not None:
            rated[kind] = found
        return kind in rated

    applying = threading.Thread(
        target=cloud.skerry, args=("apply", "--yes", "-m", "all kinds"), daemon=True
    )
    applying.start()
    wait_until(lambda: look("switch to a generation"), 60, "the switch to be seen")
    applying.join(300)
    assert not applying.is_alive()
    cloud.shell("alpha", "systemctl start --no-block skerry-often.cron.service")
    for kind in KINDS.keys() - {"switch to a generation", "what a job left goes"}:
        wait_until(lambda kind=kind: look(kind), 120, f"{kind} to be seen")  # type: ignore[misc]
    cloud.shell("alpha", "mkdir -p /run/go; touch /run/go/on")
    wait_until(lambda: look("what a job left goes"), 120, "the job to end")
    cloud.shell("alpha", "rm -r /run/go")
    # Confined as they are, they do what they are for.
    failed = cloud.shell("alpha", "systemctl list-units --failed --plain --no-legend 'skerry-*'")
    assert failed.text == ""
    status = cloud.json("status")
    assert {one["workload"]: one["state"] for one in status["replicas"]} == {
        "looked": "running", "asked": "running", "often": "scheduled",
    }  # fmt: skip

    if os.environ.get("SKERRY_RECORD_EXPOSURE"):
        RATINGS.write_text(json.dumps({kind: rated[kind] for kind in KINDS}, indent=2) + "\n")
    written = json.loads(RATINGS.read_text())
    assert rated.keys() == written.keys()
    worse = {kind: (written[kind], found) for kind, found in rated.items() if found > written[kind]}
    assert worse == {}, "rated worse than docs/security.md says"
    better = {kind: found for kind, found in rated.items() if found < written[kind]}
    assert better == {}, "write it down: SKERRY_RECORD_EXPOSURE=1, then `make docs`"
