"""Kinds of workloads: what their manifests and their lines of `run:` must keep, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.load.cloud import load_cloud
from tests.unit.test_load_problems import problems_of, write_folder

NODES = "name: home\nnodes:\n  alpha: {ssh: root@alpha}\n  beta: {ssh: root@beta}\n"
SPEC = "{containers: [{name: c, image: localhost/x}]}"
SET = f"""\
apiVersion: apps/v1
kind: KIND
metadata: {{name: x}}
spec:
  selector: SELECTOR
  template: {{metadata: {{labels: {{app: x, tier: web}}}}, spec: {SPEC}}}
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: x}
spec:
  FIELDS
  template: {spec: {restartPolicy: POLICY, containers: [{name: c, image: localhost/x}]}}
"""
CRON = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: x}
spec:
  schedule: "SCHEDULE"
  FIELDS
  jobTemplate: {spec: {template: {spec: {restartPolicy: POLICY,
    containers: [{name: c, image: localhost/x}]}}}}
"""
STATEFUL = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: x}
spec:
  replicas: 2
  ordinals: {start: 5}
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec:
      containers:
      - {name: c, image: localhost/x, volumeMounts: [{name: MOUNT, mountPath: /x}]}
  volumeClaimTemplates:
  - metadata: {name: store}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def kind(name: str, selector: str = "{matchLabels: {app: x}}") -> str:
    return SET.replace("KIND", name).replace("SELECTOR", selector)


def job(fields: str = "suspend: false", policy: str = "Never") -> str:
    return JOB.replace("FIELDS", fields).replace("POLICY", policy)


def cron(
    schedule: str = "@daily", fields: str = "suspend: false", policy: str = "OnFailure"
) -> str:
    text = CRON.replace("SCHEDULE", schedule).replace("FIELDS", fields)
    return text.replace("POLICY", policy)


@pytest.mark.parametrize(
    ("manifest", "problems"),
    [
        (kind("DaemonSet"), []),
        (kind("StatefulSet", "{matchExpressions: [{key: app, operator: Exists}]}"), []),
        (
            kind("Deployment", "{matchExpressions: [{key: app, operator: In, values: [y, z]}]}"),
            ["5:33: the selector wants app In [y, z], but the pod template has app: x"],
        ),
        (
            kind("DaemonSet", "{matchExpressions: [{key: other, operator: Exists}]}"),
            ["5:33: the selector wants other Exists, but the pod template has no label 'other'"],
        ),
        (
            kind("DaemonSet", "{matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}"),
            ["5:33: the selector wants tier NotIn [web], but the pod template has tier: web"],
        ),
        (
            kind("DaemonSet", "{matchExpressions: [{key: app, operator: In}]}"),
            ["5:33: the operator In needs at least one of `values`"],
        ),
        (
            kind("DaemonSet", "{matchExpressions: [{key: app, operator: Exists, values: [x]}]}"),
            ["5:70: the operator Exists has no `values`"],
        ),
        (kind("DaemonSet", "{}"), ["5:13: `matchLabels` must have at least one label"]),
        (job(), []),
        (
            job(policy="Always"),
            ["6:36: the pods of a Job end: restartPolicy must be OnFailure or Never"],
        ),
        (
            job("completionMode: Indexed"),
            ["5:19: an Indexed job needs `completions`: how many indices there are"],
        ),
        (
            job("parallelism: 3"),
            [
                "5:16: 3 pods at a time without `completions` is a work queue, which Skerry does "
                "not honour: no pod here knows how the others ended (completions: 3 runs that "
                "many to their end)"
            ],
        ),
        (
            job("completions: 501"),
            ["5:16: at most 500 completions fit: each pod is a unit on its node"],
        ),
        (cron(), []),
        (
            cron("61 * * * *"),
            ["5:13: schedule: minute: 61 is not from 0 to 59"],
        ),
        (
            cron(fields="timeZone: Europe/Berlim"),
            ["6:13: there is no time zone 'Europe/Berlim' (did you mean Europe/Berlin?)"],
        ),
        (
            cron(policy="Always"),
            ["7:57: the pods of a CronJob end: restartPolicy must be OnFailure or Never"],
        ),
        (STATEFUL.replace("MOUNT", "store"), []),
        (
            STATEFUL.replace("{name: MOUNT, mountPath: /x}", ""),
            [
                "14:22: the claim template 'store' is mounted by no container "
                "(volumeMounts: [{name: store, mountPath: ...}])"
            ],
        ),
    ],
)
def test_manifest(tmp_path: Path, manifest: str, problems: list[str]) -> None:
    write_folder(tmp_path, {"pods/p.yaml": manifest})
    assert [one.removeprefix("pods/p.yaml:") for one in problems_of(tmp_path)] == problems


@pytest.mark.parametrize(
    ("manifest", "placement", "problems"),
    [
        (kind("DaemonSet"), "nodes: [alpha]", []),
        (
            kind("DaemonSet"),
            "replicas: 2",
            [
                "6:35: 'x' is a DaemonSet: it runs once on every node that fits, and has no "
                "`replicas` (leave it out; `nodes` says which nodes)"
            ],
        ),
        (
            kind("DaemonSet"),
            "spread: zone",
            [
                "6:33: 'x' is a DaemonSet: there is nothing to spread over nodes that all run it "
                "(leave it out)"
            ],
        ),
        (
            job(),
            "replicas: 2",
            [
                "6:35: 'x' is a Job: it has no `replicas` (`completions` and `parallelism` in the "
                "manifest say how many pods it runs)"
            ],
        ),
        (
            cron(),
            "spread: zone",
            [
                "6:33: 'x' is a CronJob: its jobs run on the one node that has its timer "
                "(leave it out)"
            ],
        ),
        (kind("StatefulSet"), "replicas: 3, spread: zone", []),
    ],
)
def test_placement(tmp_path: Path, manifest: str, placement: str, problems: list[str]) -> None:
    run = f"{NODES}run:\n  x: {{pod: pods/p.yaml, {placement}}}\n"
    write_folder(tmp_path, {"cloud.yaml": run, "pods/p.yaml": manifest})
    assert [one.removeprefix("cloud.yaml:") for one in problems_of(tmp_path)] == problems


def test_stateful_set_makes_a_claim_for_each_replica(tmp_path: Path) -> None:
    run = f"{NODES}run:\n  db: {{pod: pods/p.yaml}}\n"
    manifest = STATEFUL.replace("MOUNT", "store")
    write_folder(tmp_path, {"cloud.yaml": run, "pods/p.yaml": manifest})
    cloud = load_cloud(tmp_path)
    assert list(cloud.workloads["db"].ordinals) == [5, 6]
    assert sorted(cloud.claims) == ["store-db-5", "store-db-6"]
    claim = cloud.claims["store-db-6"]
    assert (claim.metadata.name, claim.spec.resources.requests.storage) == ("store-db-6", "1Gi")
    assert claim.origin.file == "pods/p.yaml"
    both = {
        "pods/claim.yaml": "apiVersion: v1\nkind: PersistentVolumeClaim\n"
        "metadata: {name: store-db-5}\n"
        "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
    }
    assert problems_of(write_folder(tmp_path, {"cloud.yaml": run, **both})) == [
        "pods/p.yaml:14:22: 'db' makes the claim 'store-db-5', which is also written at "
        "pods/claim.yaml:1 (give one of them another name)"
    ]


def test_jobs_have_as_many_replicas_as_run_at_a_time(tmp_path: Path) -> None:
    run = f"{NODES}run:\n  one: {{pod: 'pods/p.yaml#x'}}\n"
    several = job("completions: 5, parallelism: 3".replace(", ", "\n  "))
    write_folder(tmp_path, {"cloud.yaml": run, "pods/p.yaml": several})
    assert list(load_cloud(tmp_path).workloads["one"].ordinals) == [0, 1, 2]


def test_every_kind_in_one_file_and_in_a_list(tmp_path: Path) -> None:
    kinds = [kind("Deployment"), kind("DaemonSet"), kind("StatefulSet"), job(), cron()]
    named = [text.replace("{name: x}", f"{{name: w{n}}}", 1) for n, text in enumerate(kinds)]
    run = f"{NODES}run:\n" + "".join(f"  r{n}: {{pod: 'pods/p.yaml#w{n}'}}\n" for n in range(5))
    files: dict[str, str | bytes] = {"cloud.yaml": run, "pods/p.yaml": "---\n".join(named)}
    write_folder(tmp_path, files)
    assert len(load_cloud(tmp_path).workloads) == 5
    items = "".join("- " + text.replace("\n", "\n  ").rstrip(" ") for text in named)
    listed = f"apiVersion: v1\nkind: List\nmetadata: {{resourceVersion: ''}}\nitems:\n{items}"
    write_folder(tmp_path, {**files, "pods/p.yaml": listed})
    found = load_cloud(tmp_path).workloads
    assert [one.manifest.kind for one in found.values()] == [
        "Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob",
    ]  # fmt: skip
