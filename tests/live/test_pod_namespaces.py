"""What pods share with their node and with each other, their names, and how they find others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from tests.live.pod_node import PodNode

from skerry.lab import Lab

POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  containers:
    - name: c
      image: IMAGE
      command: [sleep, "100000"]
"""
KINDS = ("user", "net", "pid", "ipc", "uts", "mnt")


def pod(name: str, *, containers: int = 1, **spec: object) -> str:
    """A pod with so many containers (c, d, ...) and more fields in its spec."""
    manifest = yaml.safe_load(POD.replace("NAME", name))
    first = manifest["spec"]["containers"][0]
    manifest["spec"]["containers"] = [{**first, "name": one} for one in "cdef"[:containers]]
    manifest["spec"] |= spec
    return yaml.safe_dump(manifest)


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("names")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("names"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def namespaces(node: PodNode, container: str = "") -> dict[str, str]:
    """The namespaces of a container's first process, or of the node's init."""
    pid = "1"
    if container:
        pid = node.shell(f"podman inspect {container} --format '{{{{.State.Pid}}}}'").text.strip()
    paths = " ".join(f"/proc/{pid}/ns/{kind}" for kind in KINDS)
    return dict(zip(KINDS, node.shell(f"readlink {paths}").text.split(), strict=True))


def shared(node: PodNode, container: str, other: str = "") -> set[str]:
    """The namespaces that a container has in common with another one, or with the node."""
    mine, theirs = namespaces(node, container), namespaces(node, other)
    return {kind for kind in KINDS if mine[kind] == theirs[kind]}


@pytest.mark.honours(
    "PodSpec.hostNetwork",
    "PodSpec.hostPID",
    "PodSpec.hostIPC",
    "PodSpec.hostUsers",
)
def test_namespaces_of_the_node(node: PodNode) -> None:
    node.start(
        own=pod("own"),
        users=pod("users", hostUsers=True),
        net=pod("net", hostNetwork=True),
        pid=pod("pid", hostPID=True),
        ipc=pod("ipc", hostIPC=True),
        two=pod("two", containers=2, hostPID=True, hostIPC=True, hostNetwork=True),
    )
    node.wait_active("skerry-two.0.d.service", "skerry-ipc.0.service", "skerry-own.0.service")
    assert shared(node, "skerry-own.0") == set()
    assert shared(node, "skerry-users.0") == {"user"}
    # As Kubernetes has it, the rest of the node cannot be had without its user ids.
    assert shared(node, "skerry-net.0") == {"user", "net", "uts"}
    assert shared(node, "skerry-pid.0") == {"user", "pid"}
    assert shared(node, "skerry-ipc.0") == {"user", "ipc"}
    for container in ("skerry-two.0.c", "skerry-two.0.d"):
        assert shared(node, container) == {"user", "net", "pid", "ipc", "uts"}
        assert node.within(container, "hostname") == node.node.name
    assert "systemd" in node.within("skerry-pid.0", "cat /proc/1/comm")


@pytest.mark.honours("PodSpec.shareProcessNamespace")
def test_containers_of_a_pod_share_all_but_files_and_processes(node: PodNode) -> None:
    node.start(
        apart=pod("apart", containers=2),
        shared=pod("shared", containers=2, shareProcessNamespace=True),
        alone=pod("alone", shareProcessNamespace=True),
    )
    node.wait_active("skerry-apart.0.d.service", "skerry-shared.0.d.service")
    assert shared(node, "skerry-apart.0.c", "skerry-apart.0.d") == {"user", "net", "ipc", "uts"}
    with_processes = {"user", "net", "ipc", "uts", "pid"}
    assert shared(node, "skerry-shared.0.c", "skerry-shared.0.d") == with_processes
    seen = node.within("skerry-shared.0.c", "ps")
    assert seen.count("sleep 100000") == 2
    # The first process is none of the pod's programs, as in Kubernetes.
    for container in ("skerry-shared.0.c", "skerry-alone.0"):
        assert node.within(container, "cat /proc/1/comm") != "sleep"
    assert node.within("skerry-apart.0.c", "cat /proc/1/comm") == "sleep"


@pytest.mark.honours(
    "PodSpec.hostname",
    "PodSpec.hostAliases",
    "HostAlias.ip",
    "HostAlias.hostnames",
)
def test_names_of_a_pod(node: PodNode) -> None:
    aliases = [
        {"ip": "10.1.2.3", "hostnames": ["db", "db.example"]},
        {"ip": "2001:db8::7", "hostnames": ["six"]},
    ]
    node.start(
        one=pod("one", hostname="other", hostAliases=aliases),
        two=pod("two", containers=2, hostAliases=aliases),
        net=pod("net", hostNetwork=True, hostAliases=aliases[:1]),
    )
    node.wait_active("skerry-two.0.d.service", "skerry-one.0.service", "skerry-net.0.service")
    assert node.within("skerry-one.0", "hostname") == "other"
    assert node.within("skerry-two.0.c", "hostname") == "two"
    for container in ("skerry-one.0", "skerry-two.0.c", "skerry-two.0.d"):
        hosts = hosts_of(node, container)
        assert hosts["db"] == hosts["db.example"] == {"10.1.2.3"}
        assert hosts["six"] == {"2001:db8::7"}
        assert "127.0.0.1" in hosts["localhost"]
        # The node's own file says 127.0.1.1 of it, which for the pod is the pod.
        assert node.node.name not in hosts
        # The pod's own name is its own address.
        own = node.within(container, "hostname")
        address = node.within(container, "ip -4 addr show eth0")
        (mine,) = hosts[own]
        assert f"inet {mine}/" in address
    assert hosts_of(node, "skerry-net.0")["db"] == {"10.1.2.3"}


def hosts_of(node: PodNode, container: str) -> dict[str, set[str]]:
    """The addresses of each name in a container's /etc/hosts."""
    found: dict[str, set[str]] = {}
    for line in node.within(container, "cat /etc/hosts").splitlines():
        address, *names = line.split("#")[0].split() or [""]
        for name in names:
            found.setdefault(name, set()).add(address)
    return found


@pytest.mark.honours(
    "PodSpec.dnsPolicy",
    "PodSpec.dnsConfig",
    "PodDNSConfig.nameservers",
    "PodDNSConfig.searches",
    "PodDNSConfig.options",
    "PodDNSConfigOption.name",
    "PodDNSConfigOption.value",
)
def test_resolver(node: PodNode) -> None:
    old = node.shell("cat /etc/resolv.conf").text
    config = {
        "nameservers": ["10.9.9.9", "2001:db8::53"],
        "searches": ["example.org", "b.example"],
        "options": [{"name": "ndots", "value": "3"}, {"name": "edns0"}],
    }
    theirs = "nameserver 127.0.0.1\nnameserver 10.0.0.53\nsearch a.example b.example\n" \
        "options ndots:1 timeout:7\n"  # fmt: skip
    try:
        node.shell("rm /etc/resolv.conf; cat >/etc/resolv.conf", input=theirs.encode())
        node.start(
            plain=pod("plain"),
            none=pod("none", dnsPolicy="None", dnsConfig=config),
            added=pod("added", dnsPolicy="Default", dnsConfig=config),
            net=pod("net", hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet", dnsConfig=config),
            two=pod("two", containers=2, dnsPolicy="None", dnsConfig=config),
        )
        node.wait_active(
            *(f"skerry-{name}.0.service" for name in ("plain", "none", "added", "net"))
        )
        node.wait_active("skerry-two.0.c.service", "skerry-two.0.d.service")
    finally:
        node.shell("cat >/etc/resolv.conf", input=old.encode())

    def lines(container: str) -> list[str]:
        return node.within(container, "cat /etc/resolv.conf").splitlines()

    mine = ["nameserver 10.9.9.9", "nameserver 2001:db8::53"]
    none = [*mine, "search example.org b.example", "options ndots:3 edns0"]
    for container in ("skerry-none.0", "skerry-two.0.c", "skerry-two.0.d"):
        assert lines(container) == none
    both = ["search a.example b.example example.org", "options ndots:3 timeout:7 edns0"]
    assert lines("skerry-added.0") == ["nameserver 10.0.0.53", *mine, *both]
    # In the node's network, its own resolver is within reach.
    assert lines("skerry-net.0") == ["nameserver 127.0.0.1", "nameserver 10.0.0.53", *mine, *both]
    plain = lines("skerry-plain.0")
    assert "nameserver 10.0.0.53" in plain
    assert "search a.example b.example" in plain
    node.shell("systemctl stop skerry-none.0.service skerry-two.0-pod.service")
    left = node.shell("ls /run/skerry/resolv").text.split()
    assert sorted(left) == ["skerry-added.0.conf", "skerry-net.0.conf"]


@pytest.mark.honours("PodSpec.dnsPolicy")
def test_default_policy_is_the_nodes(node: PodNode) -> None:
    node.start(a=pod("a", dnsPolicy="ClusterFirst"), b=pod("b", dnsPolicy="Default"))
    node.wait_active("skerry-a.0.service", "skerry-b.0.service")
    theirs = node.shell("cat /etc/resolv.conf").text.split()
    for name in ("a", "b"):
        assert node.within(f"skerry-{name}.0", "cat /etc/resolv.conf").split() == theirs
