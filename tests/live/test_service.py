"""Ports of the nodes: hostPort, hostIP and services, asked through each port and address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from tests.live.lab_harness import wait_until
from tests.live.pod_node import PAGE, PodNode

from skerry.edge.run import run
from skerry.lab import Lab

POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  containers:
    - name: c
      image: IMAGE
      command: [httpd, -f, -p, "8080", -h, /www]
      volumeMounts: [{name: page, mountPath: /www}]
  volumes: [{name: page, configMap: {name: page}}]
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  type: NodePort
  externalTrafficPolicy: Local
  selector: {app: NAME}
  ports: []
"""
ECHO = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 9))
while True:
    server.sendto(*server.recvfrom(100))
"""
SIX = "2001:db8:77::10"


def pod(name: str, *ports: dict[str, object], echoes: bool = False) -> str:
    """A pod that gives the page at 8080, or that sends datagrams to port 9 back."""
    manifest = yaml.safe_load(POD.replace("NAME", name))
    (container,) = manifest["spec"]["containers"]
    container["ports"] = list(ports)
    if echoes:
        # Busybox has no server for UDP: the node's Python is lent to the container.
        container["command"] = ["/usr/bin/python3", "-c", ECHO]
        for path in ("/usr", "/usr/lib", "/usr/lib64"):
            name = path.strip("/").replace("/", "-")
            target = path.removeprefix("/usr") or path
            mount = {"name": name, "mountPath": target, "readOnly": True}
            container["volumeMounts"].append(mount)
            manifest["spec"]["volumes"].append({"name": name, "hostPath": {"path": path}})
    return yaml.safe_dump(manifest)


def service(name: str, *ports: dict[str, object]) -> str:
    manifest = yaml.safe_load(SERVICE.replace("NAME", name))
    manifest["spec"]["ports"] = list(ports)
    return yaml.safe_dump(manifest)


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image, and with an address of each family."""
    lab = new_lab("ports")
    lab.up(nodes=1, with_podman=True)
    node = PodNode(lab, tmp_path_factory.mktemp("ports"))
    node.shell(f"ip -6 addr add {SIX}/64 dev host0 nodad")
    return node


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def page(node: PodNode, address: str, port: int) -> str:
    """What the node itself gets at one of its addresses; empty where nobody answers."""
    shown = f"[{address}]" if ":" in address else address
    url = f"http://{shown}:{port}/index.html"
    return node.shell(f"curl -s -m 3 -g {url}", check=False).text


def wait_page(node: PodNode, port: int) -> None:
    """Waits until the lab's network gets the page at the port of the node."""
    wait_until(lambda: node.fetch(port) == "hello", 20, f"the page at {port}")


def ask_udp(node: PodNode, port: int) -> bytes:
    """What comes back for a datagram from the lab's network; empty when nothing does."""
    script = f"echo ping | timeout 2 socat -t 1 - UDP4:{node.node.address}:{port}"
    return run(node.lab.inside("sh", "-c", script), check=False).stdout


@pytest.mark.honours(
    "Container.ports",
    "ContainerPort.containerPort",
    "ContainerPort.hostPort",
    "ContainerPort.hostIP",
    "ContainerPort.protocol",
    "ContainerPort.name",
)
def test_host_ports_at_each_address(node: PodNode) -> None:
    node.start(
        all=pod("all", {"containerPort": 8080, "hostPort": 8081}),
        one=pod("one", {"containerPort": 8080, "hostPort": 8082, "hostIP": "127.0.0.1"}),
        six=pod(
            "six",
            {"containerPort": 8080, "hostPort": 8083, "hostIP": SIX, "name": "six"},
            {"containerPort": 8080, "hostPort": 8084, "name": "four"},
        ),
        udp=pod("udp", {"containerPort": 9, "hostPort": 8085, "protocol": "UDP"}, echoes=True),
    )
    own = node.node.address
    wait_until(lambda: node.fetch(8081) == "hello", 20, "the page at all addresses")
    assert page(node, "127.0.0.1", 8081) == page(node, own, 8081) == "hello"
    wait_until(lambda: page(node, "127.0.0.1", 8082) == "hello", 20, "the page at one address")
    assert page(node, own, 8082) == node.fetch(8082) == ""
    wait_until(lambda: page(node, SIX, 8083) == "hello", 20, "the page at the IPv6 address")
    assert page(node, own, 8083) == ""
    assert node.fetch(8084) == "hello"
    wait_until(lambda: ask_udp(node, 8085) == b"ping\n", 20, "the datagram")
    assert page(node, own, 8085) == ""
    # The network of pods with a port at an IPv6 address goes with the last of them.
    assert "skerry6" in node.shell("podman network ls -q --format '{{.Name}}'").text.split()
    node.shell("systemctl stop skerry-six.0.service")
    assert "skerry6" not in node.shell("podman network ls -q --format '{{.Name}}'").text.split()


@pytest.mark.honours(
    "Service.spec",
    "ServiceSpec.type",
    "ServiceSpec.selector",
    "ServiceSpec.ports",
    "ServiceSpec.externalTrafficPolicy",
    "ServicePort.port",
    "ServicePort.targetPort",
    "ServicePort.nodePort",
    "ServicePort.protocol",
    "ServicePort.name",
)
def test_services_lead_to_the_pods_that_they_select(node: PodNode) -> None:
    services = "---\n".join([
        service("web", {"port": 80, "targetPort": "http", "nodePort": 30080, "name": "a"},
                {"port": 8080, "nodePort": 30081, "name": "b"},
                {"port": 81, "targetPort": 8080, "name": "c"}),
        service("udp", {"port": 9, "nodePort": 30009, "protocol": "UDP"}),
    ])  # fmt: skip
    tree = node.start(
        PAGE + "---\n" + services,
        web=pod("web", {"containerPort": 8080, "name": "http"}),
        udp=pod("udp", echoes=True),
        other=pod("other"),
    )
    (allocated,) = (
        int(word.split("->")[0])
        for word in tree.units["skerry-web.0.service"].ports
        if not word.startswith(("30080", "30081"))
    )
    assert 30000 <= allocated <= 32767
    for port in (30080, 30081, allocated):
        wait_page(node, port)
    wait_until(lambda: ask_udp(node, 30009) == b"ping\n", 20, "the datagram")
    assert tree.units["skerry-other.0.service"].ports == ()
    # With the pod goes its port: only nodes with such a pod answer.
    node.shell("systemctl stop skerry-web.0.service")
    assert node.fetch(30080) == ""
