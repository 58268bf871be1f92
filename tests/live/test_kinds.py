"""DaemonSets and StatefulSets on two nodes, and files with several manifests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from tests.live.cloud_fixtures import make_live_cloud
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import LIST_RUNNING, wait_until

from skerry.lab import Lab

NODES = ("alpha", "beta")
DAEMON_SET = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: watch, labels: {app: watch}}
spec:
  selector:
    matchLabels: {app: watch}
    matchExpressions:
      - {key: tier, operator: In, values: [node, cloud]}
      - {key: other, operator: DoesNotExist}
  template:
    metadata: {labels: {app: watch, tier: node}}
    spec:
      containers:
        - {name: c, image: IMAGE, command: [/bin/busybox, sleep, "100000"]}
"""
STATEFUL_SET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  ordinals: {start: 4}
  podManagementPolicy: OrderedReady
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
        - name: c
          image: IMAGE
          command: [/bin/busybox, sh, -c]
          args: ["read up rest </proc/uptime; echo $up >>/store/begun; exec sleep 100000"]
          env:
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
          volumeMounts: [{name: store, mountPath: /store}]
  volumeClaimTemplates:
    - metadata: {name: store}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""


@pytest.fixture(scope="module")
def shared(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> LiveCloud:
    """A cloud of two nodes for this file."""
    lab = new_lab("kinds")
    lab.up(nodes=2, with_podman=True)
    build_busybox_image()
    return make_live_cloud(lab, tmp_path_factory.mktemp("kinds"))


@pytest.fixture
def cloud(shared: LiveCloud) -> Iterator[LiveCloud]:
    """The cloud, with nothing running on it before and after."""
    shared.empty()
    yield shared
    shared.empty()


def replicas(cloud: LiveCloud) -> list[tuple[str, int, str, str]]:
    """Node, number, workload and state of every replica."""
    rows = cloud.json("status")["replicas"]
    return sorted((row["node"], row["replica"], row["workload"], row["state"]) for row in rows)


def containers(cloud: LiveCloud) -> dict[str, str]:
    """The names of the running containers, with their nodes."""
    return {name: node for node in NODES for name in cloud.containers(node)}


def reboot(cloud: LiveCloud, node: str) -> None:
    """Reboots a node and waits until all that starts at boot has been started."""
    cloud.lab.node(node).reboot()
    script = "systemctl is-system-running"
    up = ("running", "degraded")
    wait_until(lambda: cloud.shell(node, script, check=False).text in up, 90, "the boot's end")


@pytest.mark.honours(
    "DaemonSet.apiVersion", "DaemonSet.kind", "DaemonSet.metadata", "DaemonSet.spec",
    "DaemonSetSpec.selector", "DaemonSetSpec.template",
    "LabelSelector.matchLabels", "LabelSelector.matchExpressions",
    "LabelSelectorRequirement.key", "LabelSelectorRequirement.operator",
    "LabelSelectorRequirement.values",
)  # fmt: skip
def test_a_daemon_set_is_on_every_node(cloud: LiveCloud) -> None:
    manifest = DAEMON_SET.replace("IMAGE", BUSYBOX_IMAGE)
    cloud.place("watch", manifest)
    cloud.skerry("apply", "--yes")
    assert [row[0] for row in replicas(cloud)] == ["alpha", "beta"]
    for node in NODES:
        assert len(cloud.containers(node)) == 1
    labels = f"podman inspect --format '{{{{.Config.Labels.tier}}}}' $({LIST_RUNNING} -q)"
    assert cloud.shell("beta", labels).text == "node"
    # What the selector does not mean is refused, with the place.
    cloud.place("watch", manifest.replace("values: [node, cloud]", "values: [cloud]"))
    refused = cloud.skerry("apply", "--yes", expect=2)
    assert "the selector wants tier In [cloud], but the pod template has tier: node" in (
        refused.error_text + refused.text
    )
    cloud.place("watch", manifest, "nodes: [beta]")
    cloud.skerry("apply", "--yes")
    assert list(containers(cloud).values()) == ["beta"]


@pytest.mark.honours(
    "StatefulSet.apiVersion", "StatefulSet.kind", "StatefulSet.metadata", "StatefulSet.spec",
    "StatefulSetSpec.replicas", "StatefulSetSpec.ordinals", "StatefulSetOrdinals.start",
    "StatefulSetSpec.selector", "StatefulSetSpec.serviceName", "StatefulSetSpec.template",
    "StatefulSetSpec.volumeClaimTemplates",
)  # fmt: skip
def test_a_stateful_set_has_names_and_volumes_of_its_own(cloud: LiveCloud) -> None:
    manifest = STATEFUL_SET.replace("IMAGE", BUSYBOX_IMAGE)
    cloud.place("db", manifest)
    cloud.skerry("apply", "--yes")
    found = containers(cloud)
    assert sorted(found) == ["skerry-db.4", "skerry-db.5", "skerry-db.6"]
    assert set(found.values()) == set(NODES)
    for name, node in found.items():
        number = name.rpartition(".")[2]
        seen = cloud.shell(node, f"podman exec {name} sh -c 'hostname; echo $POD'").text.split()
        assert seen == [f"db-{number}", f"db-{number}"]
        claim = f"/var/lib/skerry/claims/store-db-{number}"
        cloud.shell(node, f"podman exec {name} sh -c 'echo mine-{number} >/store/mark'")
        assert cloud.shell(node, f"cat {claim}/mark").text == f"mine-{number}"
    # Fewer replicas: the highest number goes, and what is in its claim stays for its return.
    last = found["skerry-db.6"]
    cloud.place("db", manifest, "replicas: 2")
    cloud.skerry("apply", "--yes")
    assert containers(cloud) == {name: node for name, node in found.items() if name[-1] != "6"}
    assert cloud.shell(last, "cat /var/lib/skerry/claims/store-db-6/mark").text == "mine-6"
    cloud.place("db", manifest)
    cloud.skerry("apply", "--yes")
    assert containers(cloud) == found
    assert cloud.shell(last, "podman exec skerry-db.6 cat /store/mark").text == "mine-6"
    # Each where it was, after a reboot too.
    reboot(cloud, last)
    wait_until(lambda: containers(cloud) == found, 60, "all of them")


@pytest.mark.honours("StatefulSetSpec.podManagementPolicy")
def test_replicas_begin_one_after_another_or_at_once(cloud: LiveCloud) -> None:
    ready = (
        "          readinessProbe: {exec: {command: [test, -e, /store/ready]}, periodSeconds: 1}\n"
        "          volumeMounts"
    )
    manifest = STATEFUL_SET.replace("IMAGE", BUSYBOX_IMAGE).replace("{start: 4}", "{start: 0}")
    slow = manifest.replace("          volumeMounts", ready).replace(
        "exec sleep", "rm -f /store/ready; sleep 4; touch /store/ready; exec sleep"
    )

    def begun() -> list[float]:
        command = "tail -n1 /var/lib/skerry/claims/store-NAME-NUMBER/begun"
        found = {int(name[-1]): (name, node) for name, node in containers(cloud).items()}
        return [
            float(
                cloud.shell(
                    node,
                    command.replace("NAME", name[len("skerry-") : -2]).replace("NUMBER", name[-1]),
                ).text
            )
            for _, (name, node) in sorted(found.items())
        ]

    cloud.place("slow", slow, "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    times = begun()
    assert len(times) == 3
    # Each waited until the one before was ready, four seconds after it had begun.
    assert all(after - before >= 4 for before, after in itertools.pairwise(times))
    cloud.remove("slow")
    cloud.place("quick", slow.replace("OrderedReady", "Parallel"), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    times = begun()
    assert len(times) == 3
    assert max(times) - min(times) < 4


def test_several_manifests_in_one_file(cloud: LiveCloud) -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\n"
        "spec: {containers: [{name: c, image: IMAGE, command: [/bin/busybox, sleep, '100000'], "
        "env: [{name: A, valueFrom: {configMapKeyRef: {name: words, key: a}}}]}]}\n"
    )
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {a: said}\n"
    documents = "---\n".join([config, pod, pod.replace("name: one", "name: two")])
    cloud.place("several", documents.replace("IMAGE", BUSYBOX_IMAGE))
    cloud.places = {
        "one": "{pod: pods/several.yaml#one, nodes: [alpha]}",
        "two": "{pod: pods/several.yaml#two, nodes: [beta]}",
    }
    cloud.write_cloud()
    cloud.skerry("apply", "--yes")
    assert [row[:3] for row in replicas(cloud)] == [("alpha", 0, "one"), ("beta", 0, "two")]
    for name, node in containers(cloud).items():
        assert cloud.shell(node, f"podman exec {name} sh -c 'echo $A'").text == "said"
    cloud.places = {"several": ""}
