"""What containers are told: variables from every source, read in the running container."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.live.pod_node import PodNode

from skerry.lab import Lab

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {A: one, B: "$(A) 100% $x", 1st.file: "two\\nlines"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more}
data: {A: other}
"""
POD = """
apiVersion: v1
kind: Pod
metadata:
  name: told
  labels: {app: told, example.com/tier: "back"}
  annotations: {note: "two words \\" $(A)"}
spec:
  containers:
    - name: c
      image: IMAGE
      command: [tail, -f, /dev/null, "$(NAME)", "$(ADDRESS)", "$(NOT_THERE)"]
      args: ["$(JOINED)", "$$(A)"]
      resources: {requests: {memory: 16Mi}, limits: {memory: 64Mi}}
      envFrom:
        - {configMapRef: {name: page}}
        - {configMapRef: {name: more}, prefix: MORE_}
        - {configMapRef: {name: gone, optional: true}}
      env:
        - {name: A, value: "own, before: $(A)"}
        - {name: EMPTY}
        - {name: KEY, valueFrom: {configMapKeyRef: {name: more, key: A}}}
        - {name: OPTIONAL, valueFrom: {configMapKeyRef: {name: more, key: gone, optional: true}}}
        - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: SPACE, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}}
        - {name: TIER, valueFrom: {fieldRef: {fieldPath: "metadata.labels['example.com/tier']"}}}
        - {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
        - {name: HOSTS, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}
        - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: ADDRESSES, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
        - {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
        - {name: ASKED, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Ki}}}
        - {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        - name: MILLIS
          valueFrom:
            resourceFieldRef: {resource: limits.cpu, containerName: side, divisor: 1m}
        - {name: JOINED, value: "$(NAME)@$(NODE):$(ADDRESS)/$(MORE_A)?$(A)"}
    - name: side
      image: IMAGE
      command: [sleep, "100000"]
      resources: {limits: {cpu: 1500m}}
"""
# What the kind of a single container makes of it.
ALONE = POD[: POD.index("    - name: side")].replace("containerName: side, ", "")


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("env")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("env"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def told(node: PodNode, container: str) -> dict[str, str]:
    """The variables of a container's first process."""
    script = f"podman exec {container} cat /proc/1/environ"
    entries = node.shell(script).stdout.decode().split("\0")[:-1]
    return dict(entry.split("=", 1) for entry in entries)


@pytest.mark.honours(
    "Container.env",
    "Container.envFrom",
    "EnvVar.name",
    "EnvVar.value",
    "EnvVar.valueFrom",
    "EnvVarSource.configMapKeyRef",
    "EnvVarSource.fieldRef",
    "EnvVarSource.resourceFieldRef",
    "ConfigMapKeySelector.name",
    "ConfigMapKeySelector.key",
    "ConfigMapKeySelector.optional",
    "EnvFromSource.configMapRef",
    "EnvFromSource.prefix",
    "ConfigMapEnvSource.name",
    "ConfigMapEnvSource.optional",
    "ObjectFieldSelector.fieldPath",
    "ObjectFieldSelector.apiVersion",
    "ResourceFieldSelector.resource",
    "ResourceFieldSelector.divisor",
    "ResourceFieldSelector.containerName",
    "ConfigMap.data",
)
@pytest.mark.parametrize("manifest", [POD, ALONE], ids=["two containers", "one container"])
def test_variables_from_every_source(node: PodNode, manifest: str) -> None:
    node.start(CONFIG, told=manifest)
    node.wait_active("skerry-told.0.c.service")
    name = "skerry-told.0.c"
    address = node.within(name, "ip -4 -o addr show dev eth0").split()[3].partition("/")[0]
    host = node.node.address
    expected = {
        "A": "own, before: one",
        "B": "$(A) 100% $x",
        "1st.file": "two\nlines",
        "MORE_A": "other",
        "EMPTY": "",
        "KEY": "other",
        "NAME": "told",
        "SPACE": "default",
        "TIER": "back",
        "NOTE": 'two words " $(A)',
        "NODE": node.node.name,
        "HOST": host,
        "HOSTS": host,
        "ADDRESS": address,
        "ADDRESSES": address,
        "LIMIT": "64",
        "ASKED": str(16 * 1024),
        # Without a limit it is what the node has.
        "CPUS": "3",
        "MILLIS": "1500" if manifest is POD else "3000",
        "JOINED": f"told@{node.node.name}:{address}/other?own, before: one",
    }
    found = told(node, name)
    assert {key: found.get(key) for key in expected} == expected
    assert not {"OPTIONAL", "MORE_B", "SKERRY_POD_IP"} & set(found)
    words = node.shell(f"podman exec {name} cat /proc/1/cmdline").stdout.decode().split("\0")
    assert words == [
        "tail", "-f", "/dev/null", "told", address, "$(NOT_THERE)", expected["JOINED"], "$(A)", ""
    ]  # fmt: skip


def test_address_is_that_of_each_start(node: PodNode) -> None:
    node.start(CONFIG, told=ALONE)
    unit = "skerry-told.0-pod.service"
    node.wait_active(unit, "skerry-told.0.c.service")
    first = told(node, "skerry-told.0.c")["ADDRESS"]
    # Somebody else takes the address while the pod is down.
    node.shell(f"systemctl stop {unit}")
    taken = f"podman run -d --name other --ip {first} localhost/skerry-busybox sleep 100000"
    node.shell(taken)
    node.shell(f"systemctl start {unit}")
    node.wait_active(unit, "skerry-told.0.c.service")
    again = told(node, "skerry-told.0.c")["ADDRESS"]
    assert again != first
    assert again in node.within("skerry-told.0.c", "ip -4 -o addr show dev eth0")
    node.shell("podman rm -f --time 0 other")


def test_address_in_the_network_of_the_node_is_the_nodes(node: PodNode) -> None:
    manifest = ALONE.replace("spec:\n", "spec:\n  hostNetwork: true\n", 1)
    node.start(CONFIG, told=manifest)
    node.wait_active("skerry-told.0.service")
    found = told(node, "skerry-told.0")
    assert found["ADDRESS"] == found["HOST"] == node.node.address
