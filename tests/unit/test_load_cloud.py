"""What a valid cloud folder becomes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from skerry.errors import CloudInvalid, UsageError
from skerry.load.cloud import find_cloud_folder, load_cloud, load_nodes
from skerry.model.cloud import Cloud
from skerry.model.deployment import Deployment
from skerry.model.pod import Pod
from tests.unit.test_load_problems import POD, write_folder

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  replicas: 3
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec: {containers: [{name: a, image: localhost/a, resources: {limits: {memory: 64Mi}}}]}
"""
CLOUD = """\
name: home
ssh-config: ssh/config
nodes:
  alpha: {ssh: root@203.0.113.10, vendor: hetzner, port: 2222, identity-file: keys/id}
  beta: {ssh: beta, identity-file: ~/.ssh/id}
  attic: {ssh: attic.local, labels: {disk: ssd}}
run:
  one: {pod: pods/p.yaml}
  some: {pod: pods/p.yaml, nodes: ['a*']}
  two: {pod: pods/p.yaml, replicas: 2, nodes: [beta, alpha], spread: vendor}
  three: {pod: pods/d.yaml}
  none: {pod: pods/d.yaml, replicas: 0}
  each: {pod: pods/d.yaml, nodes: [beta]}
"""


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("HOME", "/home/me")
    write_folder(tmp_path, {"cloud.yaml": CLOUD, "pods/p.yaml": POD, "pods/d.yaml": DEPLOYMENT})
    return load_cloud(tmp_path)


def test_workloads(cloud: Cloud) -> None:
    every = ("alpha", "attic", "beta")
    assert {one.name: (one.nodes, one.replicas) for one in cloud.workloads.values()} == {
        "one": (every, 1),
        "some": (("alpha", "attic"), None),
        "two": (("alpha", "beta"), 2),
        "three": (every, 3),
        "none": (every, 0),
        "each": (("beta",), None),
    }
    assert isinstance(cloud.workloads["one"].manifest, Pod)
    assert isinstance(cloud.workloads["three"].manifest, Deployment)
    assert cloud.workloads["three"].labels == {"app": "d"}
    assert cloud.workloads["three"].spec.containers[0].resources.limits.memory == "64Mi"


def test_paths_are_absolute(cloud: Cloud, tmp_path: Path) -> None:
    assert cloud.ssh_config == str(tmp_path / "ssh/config")
    assert cloud.nodes["alpha"].identity_file == str(tmp_path / "keys/id")
    assert cloud.nodes["beta"].identity_file == "/home/me/.ssh/id"
    assert cloud.nodes["attic"].identity_file is None


def test_places(cloud: Cloud) -> None:
    pod = cloud.workloads["one"].manifest
    container = cloud.workloads["one"].spec.containers[0]
    assert (pod.origin.file, pod.origin.line, pod.origin.column) == ("pods/p.yaml", 1, 1)
    assert str(container.origin.of("image").problem("x")) == "pods/p.yaml:7:12: x"
    some = cloud.workloads["some"].placement.origin
    assert (some.of("nodes[0]").line, some.of("nodes[0]").column) == (9, 36)
    labels = cloud.nodes["attic"].origin.of("labels[disk]")
    assert (labels.file, labels.line, labels.column) == ("cloud.yaml", 6, 44)
    assert some.of("replicas") == some.of("not there")


def test_json_round_trip(cloud: Cloud) -> None:
    assert msgspec.json.decode(msgspec.json.encode(cloud), type=Cloud) == cloud
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(cloud), type=Cloud) == cloud


def test_scalars_as_kubectl_reads_them(tmp_path: Path) -> None:
    pod = POD + (
        "    command:\n    - sh\n    - -c\n    - |\n      echo 1\n      echo 2\n"
        "    args: ['8080', \"on\", 12:30, 2020-01-01, 1.2.3, 0x, -, ~user]\n"
        "    ports: [{containerPort: 0x50}, {containerPort: 010}, {containerPort: +443}]\n"
        "    resources: {limits: {cpu: 1.5, memory: 100000000}}\n"
        "  hostNetwork: yes\n"
    )
    write_folder(
        tmp_path,
        {
            "cloud.yaml": "name: x\nnodes: {a: {ssh: a}}\nrun: {w: {pod: pods/p.yaml}}\n",
            "pods/p.yaml": pod,
        },
    )
    spec = load_cloud(tmp_path).workloads["w"].spec
    (container,) = spec.containers
    assert container.command == ("sh", "-c", "echo 1\necho 2\n")
    assert container.args == (
        "8080",
        "on",
        "12:30",
        "2020-01-01",
        "1.2.3",
        "0x",
        "-",
        "~user",
    )
    assert [port.container_port for port in container.ports] == [80, 8, 443]
    assert container.resources.limits.cpu == 1.5
    assert container.resources.limits.memory == 100000000
    assert spec.host_network is True


def test_manifests_elsewhere_are_read_when_named(tmp_path: Path) -> None:
    config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"
    write_folder(
        tmp_path,
        {
            "cloud.yaml": "name: x\nnodes: {a: {ssh: a}}\nrun: {w: {pod: apps/p.json}}\n",
            "apps/p.json": POD + config,
            "apps/other.yaml": "not read",
            "pods/.hidden.yaml": "not read",
            "pods/notes.txt": "not read",
        },
    )
    assert list(load_cloud(tmp_path).config_maps) == ["c"]


def test_nodes_are_read_without_what_runs_on_them(tmp_path: Path) -> None:
    text = "name: x\nnodes: {a: {ssh: a}}\nrun: {w: {pod: pods/gone.yaml, nodes: [b], x: 1}}\n"
    write_folder(tmp_path, {"cloud.yaml": text, "pods/bad.yaml": "["})
    cloud = load_nodes(tmp_path)
    assert list(cloud.nodes) == ["a"]
    assert cloud.workloads == {}
    with pytest.raises(CloudInvalid):
        load_cloud(tmp_path)


def test_find_cloud_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "home", {"pods/a/p.yaml": POD})
    monkeypatch.chdir(tmp_path / "home/pods/a")
    assert find_cloud_folder(Path()) == tmp_path / "home"
    assert find_cloud_folder(Path("../..")).resolve() == tmp_path / "home"
    with pytest.raises(UsageError, match=r"there is no cloud\.yaml in .*/home/pods"):
        find_cloud_folder(tmp_path / "home/pods")
    with pytest.raises(UsageError, match="there is no folder"):
        find_cloud_folder(tmp_path / "gone")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        find_cloud_folder(Path())
    assert caught.value.hint == "skerry init DIR makes a cloud folder; -C DIR names one"
