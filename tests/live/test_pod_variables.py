"""Variables of containers from every source, read in the running container."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.live.pod_node import PodNode

from skerry.lab import Lab

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue, size: "7"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more}
data: {shape: round}
"""
POD = """
apiVersion: v1
kind: Pod
metadata:
  name: vars
  namespace: default
  labels: {app: vars, tier: front}
  annotations: {note: "a note"}
spec:
  containers:
    - name: main
      image: IMAGE
      command: [sleep, "100000"]
      resources:
        requests: {cpu: 250m, memory: 32Mi}
        limits: {cpu: 1500m, memory: 64Mi}
      envFrom:
        - {prefix: SET_, configMapRef: {name: settings}}
        - {configMapRef: {name: more}}
        - {configMapRef: {name: not-there, optional: true}}
      env:
        - {name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
        - {name: GONE, valueFrom: {configMapKeyRef: {name: settings, key: gone, optional: true}}}
        - {name: NAME, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}}
        - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
        - {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
        - {name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        - {name: CPU_MILLI, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
        - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
        - name: OF_SIDE
          valueFrom:
            resourceFieldRef: {containerName: side, resource: requests.memory}
        - {name: TOGETHER, value: "$(COLOR)-$(NODE)-$(SET_size)"}
    - name: side
      image: IMAGE
      command: [sleep, "100000"]
      resources: {requests: {memory: 16Mi}}
"""


@pytest.fixture(scope="module")
def node(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PodNode]:
    """A node on which `POD` runs."""
    lab = new_lab("variables")
    lab.up(nodes=1, with_podman=True)
    node = PodNode(lab, tmp_path_factory.mktemp("variables"))
    node.start(CONFIG, vars=POD)
    node.wait_active("skerry-vars.0.main.service", "skerry-vars.0.side.service")
    yield node
    lab.down()


@pytest.fixture(scope="module")
def variables(node: PodNode) -> dict[str, str]:
    """What the main process of the container `main` has."""
    lines = node.within("skerry-vars.0.main", 'tr "\\\\0" "\\\\n" </proc/1/environ').splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.mark.honours(
    "Container.envFrom",
    "EnvFromSource.prefix",
    "EnvFromSource.configMapRef",
    "ConfigMapEnvSource.name",
    "ConfigMapEnvSource.optional",
)
def test_all_keys_of_config_maps(variables: dict[str, str]) -> None:
    found = {name: variables.get(name) for name in ("SET_color", "SET_size", "shape", "color")}
    assert found == {"SET_color": "blue", "SET_size": "7", "shape": "round", "color": None}


@pytest.mark.honours(
    "EnvVar.valueFrom",
    "EnvVarSource.configMapKeyRef",
    "ConfigMapKeySelector.name",
    "ConfigMapKeySelector.key",
    "ConfigMapKeySelector.optional",
)
def test_single_keys_of_config_maps(variables: dict[str, str], node: PodNode) -> None:
    assert variables["COLOR"] == "blue"
    assert "GONE" not in variables
    assert variables["TOGETHER"] == f"blue-{node.node.name}-7"


@pytest.mark.honours(
    "EnvVarSource.fieldRef",
    "ObjectFieldSelector.fieldPath",
    "ObjectFieldSelector.apiVersion",
    "ObjectMeta.namespace",
)
def test_what_the_pod_is(variables: dict[str, str], node: PodNode) -> None:
    assert variables["NAME"].startswith("vars")
    expected = {
        "NAMESPACE": "default",
        "APP": "vars",
        "NOTE": "a note",
        "NODE": node.node.name,
        "HOST": node.node.address,
    }
    assert {name: variables[name] for name in expected} == expected


@pytest.mark.honours(
    "EnvVarSource.resourceFieldRef",
    "ResourceFieldSelector.resource",
    "ResourceFieldSelector.divisor",
    "ResourceFieldSelector.containerName",
    "ResourceRequirements.requests",
)
def test_amounts(variables: dict[str, str]) -> None:
    expected = {
        "CPU_LIMIT": "2",
        "CPU_MILLI": "250",
        "MEMORY": "64",
        "OF_SIDE": str(16 * 1024 * 1024),
    }
    assert {name: variables[name] for name in expected} == expected
