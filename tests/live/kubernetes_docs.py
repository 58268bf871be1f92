"""Three manifests of the Kubernetes documentation, as its pages have them.

They are not in this repository: ``https://k8s.io/examples/PATH`` is where the documentation tells
its readers to take them from (licence: CC BY 4.0), and a test is to run them unchanged. A copy
that lies in the folder ``SKERRY_KUBERNETES_DOCS``, under the file's name, is taken first. Where
neither is to be had, as on a machine without a way out, a manifest of ours stands in that asks
for the same of the same images.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from skerry.edge.run import Command, run


class Documented(NamedTuple):
    """A manifest: its path below the documentation's examples, and ours that stands in."""

    path: str
    stand_in: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]


DEPLOYMENT = Documented(
    "controllers/nginx-deployment.yaml",
    """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx-deployment, labels: {app: nginx}}
spec:
  replicas: 3
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec: {containers: [{name: nginx, image: "nginx:1.14.2", ports: [{containerPort: 80}]}]}
""",
)
CRON_JOB = Documented(
    "application/job/cronjob.yaml",
    """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: hello}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
            - name: hello
              image: busybox:1.28
              imagePullPolicy: IfNotPresent
              command: [/bin/sh, -c, "date; echo Hello from a stand-in"]
""",
)
PROBED_POD = Documented(
    "pods/probe/exec-liveness.yaml",
    """\
apiVersion: v1
kind: Pod
metadata: {name: liveness-exec, labels: {test: liveness}}
spec:
  containers:
    - name: liveness
      image: registry.k8s.io/busybox:1.27.2
      args: [/bin/sh, -c, "touch /tmp/healthy; sleep 30; rm /tmp/healthy; sleep 600"]
      livenessProbe:
        exec: {command: [cat, /tmp/healthy]}
        initialDelaySeconds: 5
        periodSeconds: 5
""",
)


def read_documented(manifest: Documented) -> str:
    """The documentation's own text where it can be had, else the stand-in; says which it is."""
    given = Path(os.environ.get("SKERRY_KUBERNETES_DOCS", "/nonexistent")) / manifest.name
    if given.exists():
        print(f"{manifest.name}: {given}")
        return given.read_text()
    url = f"https://k8s.io/examples/{manifest.path}"
    fetched = run(
        Command.of("curl", "-fsSL", "--connect-timeout", "3", "-m", "10", url), check=False
    )
    if fetched.status == 0:
        print(f"{manifest.name}: {url}")
        return fetched.stdout.decode()
    print(f"{manifest.name}: a stand-in; {url} cannot be had: {fetched.error_text}")
    return manifest.stand_in
