"""Services of the type NodePort: what they select, which ports they get, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.cli.cloud import OpenCloud
from skerry.compile.cloud import compile_cloud
from skerry.compile.lock import Lock, ResolvedImage
from skerry.compile.services import allocate_node_ports, port_key, with_node_ports
from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud
from skerry.model.cloud import Cloud
from skerry.model.service import NODE_PORTS

CLOUD = """\
name: home
nodes: {alpha: {ssh: root@alpha}, beta: {ssh: root@beta}}
run:
  web: {pod: pods/web.yaml, nodes: [alpha]}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, tier: front}}
spec:
  containers:
  - name: web
    image: localhost/web
    ports: [{containerPort: 8080, name: http}, {containerPort: 53, name: dns, protocol: UDP}]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  type: NodePort
  selector: {app: web}
  ports: [PORTS]
"""
LOCK = Lock(images={"localhost/web": ResolvedImage(id="5" * 64, size=1)})


def load(folder: Path, pod: str = POD, **services: str) -> Cloud:
    (folder / "pods").mkdir()
    (folder / "cloud.yaml").write_text(CLOUD)
    (folder / "pods/web.yaml").write_text(pod)
    for name, ports in services.items():
        text = ports if "kind:" in ports else SERVICE.replace("NAME", name).replace("PORTS", ports)
        (folder / f"pods/{name}.yaml").write_text(text)
    return load_cloud(folder)


def problems_of(folder: Path, pod: str = POD, **services: str) -> list[str]:
    try:
        load(folder, pod, **services)
    except CloudInvalid as error:
        return [str(one).removeprefix("pods/") for one in error.problems]
    return []


def published(cloud: Cloud, lock: Lock = LOCK) -> list[str]:
    tree = compile_cloud(cloud, lock)["alpha"]
    text = tree.files["/etc/containers/systemd/skerry-web.0.container"].content.decode()
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith("PublishPort=")]


def test_ports_lead_to_numbers_and_names(tmp_path: Path) -> None:
    cloud = load(
        tmp_path,
        a="{port: 80, nodePort: 30080, targetPort: 8080}",
        b="{port: 80, name: h, nodePort: 30081, targetPort: http}, "
        "{port: 53, name: d, nodePort: 30053, targetPort: dns, protocol: UDP}",
        c="{port: 8080, nodePort: 30082}",
    )
    assert published(cloud) == [
        "30080:8080/tcp", "30081:8080/tcp", "30053:53/udp", "30082:8080/tcp",
    ]  # fmt: skip
    (unit,) = compile_cloud(cloud, LOCK)["alpha"].units.values()
    assert unit.ports[0] == "30080->8080/tcp"
    assert compile_cloud(cloud, LOCK)["beta"].units == {}


def test_ports_are_allocated_once_and_stay(tmp_path: Path) -> None:
    cloud = load(
        tmp_path,
        a="{port: 80}",
        b="{port: 53, name: t}, {port: 53, name: u, protocol: UDP}",
        c="{port: 1, nodePort: 30001}",
    )
    lock = with_node_ports(cloud, LOCK)
    assert list(lock.node_ports) == ["a/80", "b/53", "b/53/UDP"]
    numbers = list(lock.node_ports.values())
    assert len(set(numbers)) == 3
    assert all(NODE_PORTS[0] <= number <= NODE_PORTS[1] for number in numbers)
    assert with_node_ports(cloud, LOCK) == lock
    kept = {"a/80": 31234, "gone/1": 31235}
    again = allocate_node_ports(cloud, kept)
    assert again == {**lock.node_ports, "a/80": 31234}
    assert published(cloud, lock)[0] == f"{lock.node_ports['a/80']}:80/tcp"


def test_allocated_ports_are_in_the_lock_that_apply_writes(tmp_path: Path) -> None:
    opened = OpenCloud(tmp_path, load(tmp_path, a="{port: 80}"), LOCK)
    assert opened.trees["alpha"].units
    (number,) = opened.lock.node_ports.values()
    (unit,) = opened.trees["alpha"].units.values()
    assert unit.ports == (f"{number}->80/tcp",)


def test_allocated_port_is_nobody_elses(tmp_path: Path) -> None:
    cloud = load(tmp_path, a="{port: 80}")
    (own,) = cloud.services["a"].spec.ports
    number = allocate_node_ports(cloud, {})[port_key("a", own)]
    taking = POD.replace("containerPort: 8080,", f"containerPort: 8080, hostPort: {number},")
    (tmp_path / "pods/web.yaml").write_text(taking)
    other = load_cloud(tmp_path)
    assert allocate_node_ports(other, {"a/80": number})["a/80"] != number


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ("{port: 80, nodePort: 80}",
         ["a.yaml:7:32: nodePort 80 is not from 30000 to 32767 "
          "(`hostPort` in the pod can be any port)"]),
        ("{port: 80}, {port: 81}",
         ["a.yaml:7:11: each of several ports needs a `name`",
          "a.yaml:7:23: each of several ports needs a `name`"]),
        ("{port: 80, name: a}, {port: 80, name: a}",
         ["a.yaml:7:39: port 80/TCP is given twice, first in line 7",
          "a.yaml:7:49: two ports have the name 'a', the first in line 7"]),
        ("{port: 80, targetPort: htp}",
         ["a.yaml:7:34: no container of 'web' has a port named 'htp' (TCP) "
          "(did you mean 'http'?)"]),
        ("{port: 80, targetPort: dns}",
         ["a.yaml:7:34: no container of 'web' has a port named 'dns' (TCP) (it has http)"]),
    ],
)  # fmt: skip
def test_ports_that_cannot_be(tmp_path: Path, ports: str, told: list[str]) -> None:
    assert problems_of(tmp_path, a=ports) == told


def test_port_of_the_nodes_is_one_services(tmp_path: Path) -> None:
    told = problems_of(tmp_path, a="{port: 80, nodePort: 30080}", b="{port: 1, nodePort: 30080}")
    assert told == [
        "b.yaml:7:31: port 30080/TCP of the nodes is taken twice, by the services 'a' "
        "(pods/a.yaml:1) and 'b'"
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("app: web}\n", "app: wep}\n"),
         "a.yaml:6:13: service 'a' selects nothing: no pod of the cloud has the labels app: wep "
         "(did you mean app: web?)"),
        (("{app: web}", "{}"),
         "a.yaml:6:13: `selector` must have at least one label (a port of the nodes can only "
         "lead to pods of the cloud)"),
        (("type: NodePort\n  ", ""),
         "a.yaml:5:3: spec: the field `type` must be given (without it a Service is a ClusterIP, "
         "and there is no network between nodes yet, so no address that follows pods: write "
         "type: NodePort)"),
    ],
)  # fmt: skip
def test_services_that_lead_nowhere(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    text = SERVICE.replace("NAME", "a").replace("PORTS", "{port: 80}").replace(*change)
    assert problems_of(tmp_path, a=text) == [told]


@pytest.mark.parametrize("fault", ["type: ClusterIP", "type: LoadBalancer", "type: ExternalName",
                                   "type: NodePort\n  clusterIP: None",
                                   "type: NodePort\n  sessionAffinity: ClientIP"])  # fmt: skip
def test_what_needs_a_network_is_refused_with_the_reason(tmp_path: Path, fault: str) -> None:
    text = SERVICE.replace("NAME", "a").replace("PORTS", "{port: 80}")
    (told,) = problems_of(tmp_path, a=text.replace("type: NodePort", fault))
    assert "a.yaml:" in told
    assert any(
        why in told for why in ("no network between", "no load balancer", "no DNS", "own pod")
    )


def test_pods_in_the_network_of_their_nodes_have_no_other_port(tmp_path: Path) -> None:
    pod = POD.replace("spec:\n", "spec:\n  hostNetwork: true\n")
    assert problems_of(tmp_path, pod, a="{port: 80}") == [
        "a.yaml:7:11: service 'a' selects 'web', whose pods are in the network of their nodes: no "
        "other port of the node can lead there (leave out hostNetwork in the pod, or the service)"
    ]


def test_port_of_a_service_and_of_a_pod_collide_on_a_node(tmp_path: Path) -> None:
    pod = POD.replace("containerPort: 8080,", "containerPort: 8080, hostPort: 30080,")
    cloud = load(tmp_path, pod, a="{port: 80, nodePort: 30080}")
    with pytest.raises(CloudInvalid) as caught:
        compile_cloud(cloud, LOCK)
    assert "port 30080/TCP" in caught.value.problems[0].message
