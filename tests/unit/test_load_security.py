"""What is refused of security contexts, namespaces, names and ports: place and words, pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud

CLOUD = "name: home\nnodes:\n  alpha: {ssh: root@alpha}\n"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: localhost/web
    CONTAINER
  SPEC
"""
OWN = "hostUsers: true gives the pod the user ids of the node"


def problems_of(folder: Path, container: str = "", spec: str = "") -> list[str]:
    (folder / "pods").mkdir()
    (folder / "cloud.yaml").write_text(CLOUD)
    text = POD.replace("CONTAINER", container).replace("SPEC", spec)
    (folder / "pods/p.yaml").write_text(text)
    try:
        load_cloud(folder)
    except CloudInvalid as error:
        return [str(problem).removeprefix("pods/p.yaml:") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ("{capabilities: {add: [NET_ADMIN, CAP_SYS_PTRACE], drop: [ALL]}}", []),
        (
            "{capabilities: {add: [NET_ADMINN]}}",
            ["8:44: Linux has no capability NET_ADMINN (did you mean NET_ADMIN?)"],
        ),
        (
            "{capabilities: {drop: [CAP_NET_RAW], add: [NET_RAW]}}",
            ["8:65: NET_RAW is both added and dropped (leave one of them out)"],
        ),
        (
            "{capabilities: {add: [SYS_TIME]}}",
            [
                "8:44: the capability SYS_TIME has no effect in a pod with user ids of its own "
                f"({OWN})"
            ],
        ),
        (
            "{privileged: true}",
            [
                "8:35: privileged: say whose root the container is, for here pods have user ids "
                "of their own (hostUsers: true in the pod's spec: the node's; hostUsers: false: "
                "the pod's alone)"
            ],
        ),
        (
            "{allowPrivilegeEscalation: false, capabilities: {add: [SYS_ADMIN]}}",
            [
                "8:49: a container with the capability SYS_ADMIN cannot be kept from gaining "
                "privileges"
            ],
        ),
        (
            "{runAsNonRoot: true, runAsUser: 0}",
            ["8:54: container 'web' has runAsNonRoot and runAsUser 0, which is root"],
        ),
        (
            "{runAsUser: 65536}",
            [f"8:34: a pod with user ids of its own has those from 0 to 65535, not 65536 ({OWN})"],
        ),
        (
            "{seccompProfile: {type: Localhost}}",
            [
                "8:39: a Localhost profile needs `localhostProfile` (the path of a file of the "
                "nodes, below /var/lib/kubelet/seccomp)"
            ],
        ),
        (
            "{seccompProfile: {type: Unconfined, localhostProfile: a.json}}",
            ["8:76: `localhostProfile` is for the type Localhost, not Unconfined"],
        ),
    ],
)
def test_container_context(tmp_path: Path, context: str, told: list[str]) -> None:
    assert problems_of(tmp_path, f"securityContext: {context}") == told


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("hostUsers: true\n  securityContext: {runAsUser: 1000650000}", []),
        ("hostPID: true\n  hostIPC: true", []),
        (
            "hostPID: true\n  hostUsers: false",
            [
                "10:14: a pod with hostPID has the user ids of the node (leave out hostUsers: "
                "false, or hostPID)"
            ],
        ),
        (
            "hostNetwork: true\n  hostname: other",
            ["10:13: with hostNetwork, the host name is the node's (leave hostname out)"],
        ),
        (
            "hostPID: true\n  shareProcessNamespace: true",
            [
                "10:26: with hostPID, the containers see the processes of the node (leave out "
                "shareProcessNamespace, or hostPID)"
            ],
        ),
        (
            "securityContext: {sysctls: [{name: net/core/somaxconn, value: '1'}, "
            "{name: net.core.somaxconn, value: '2'}]}",
            [
                "9:78: the kernel parameter net.core.somaxconn is given twice, first in line 9",
            ],
        ),
        (
            "hostNetwork: true\n  securityContext: {sysctls: [{name: net.core.somaxconn, "
            "value: '1'}, {name: vm.swappiness, value: '1'}]}",
            [
                "10:38: with hostNetwork, net.core.somaxconn is the node's: a pod cannot set it",
                "10:78: vm.swappiness is a parameter of the whole node: a pod cannot set it "
                "(a pod has its own net.*, kernel.shm*, kernel.msg*, kernel.sem*, fs.mqueue.*)",
            ],
        ),
        (
            "dnsPolicy: None",
            ["9:14: dnsPolicy None needs a name server: dnsConfig.nameservers"],
        ),
        (
            "dnsConfig: {nameservers: [1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.444], searches: ['a b'], "
            "options: [{name: 'x y'}, {name: ndots, value: ''}]}",
            [
                "9:28: 4 name servers: at most 3 are asked",
                "9:56: '4.4.4.444' is not an IP address",
                "9:79: 'a b' is not a domain",
                "9:104: 'x y' is not a word such as ndots or edns0",
                "9:133: '' is not one word (leave `value` out where there is none)",
            ],
        ),
        (
            "hostAliases: [{ip: 10.0.0.300, hostnames: [a]}, {ip: '::1'}]",
            [
                "9:22: '10.0.0.300' is not an IP address",
                "9:51: hostAliases: no `hostnames` for ::1",
            ],
        ),
    ],
)
def test_pod(tmp_path: Path, spec: str, told: list[str]) -> None:
    assert problems_of(tmp_path, spec=spec) == told


def test_privileged_container_of_the_nodes_root(tmp_path: Path) -> None:
    told = problems_of(
        tmp_path,
        "securityContext: {privileged: true, allowPrivilegeEscalation: false, "
        "capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}",
        "hostUsers: true",
    )
    assert told == [
        "8:35: a privileged container has all capabilities and no filter of system calls: "
        "`capabilities` and `seccompProfile` would have no effect",
        "8:67: a privileged container cannot be kept from gaining privileges",
    ]


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ("{containerPort: 1, hostPort: 1, hostIP: 0.0.0.0}, "
         "{containerPort: 2, hostPort: 1, hostIP: '2001:db8::1'}", []),
        ("{containerPort: 1, hostPort: 1, hostIP: 0.0.0.0}, "
         "{containerPort: 2, hostPort: 1, hostIP: 10.0.0.1}",
         ["8:92: the node's port 1/TCP is taken twice, first in line 8"]),
        ("{containerPort: 1, hostIP: 10.0.0.1}", ["8:40: hostIP has no effect without hostPort"]),
        ("{containerPort: 1, hostPort: 1, hostIP: '::1'}",
         ["8:53: Linux does not forward what comes to ::1 (127.0.0.1 is the same node)"]),
    ],
)  # fmt: skip
def test_ports(tmp_path: Path, ports: str, told: list[str]) -> None:
    assert problems_of(tmp_path, f"ports: [{ports}]") == told


@pytest.mark.parametrize(
    ("resources", "told"),
    [
        ("{requests: {cpu: 250m, memory: 64Mi}, limits: {cpu: 0.25, memory: 64Mi}}", []),
        (
            "{requests: {cpu: 251m, memory: 1Gi}, limits: {cpu: 0.25, memory: 512Mi}}",
            [
                "8:33: container 'web' asks for more cpu (251m) than its limit (0.25)",
                "8:47: container 'web' asks for more memory (1Gi) than its limit (512Mi)",
            ],
        ),
    ],
)
def test_requests_within_limits(tmp_path: Path, resources: str, told: list[str]) -> None:
    assert problems_of(tmp_path, f"resources: {resources}") == told


def test_storage_is_refused_by_name(tmp_path: Path) -> None:
    (told,) = problems_of(tmp_path, "resources: {limits: {ephemeral-storage: 1Gi}}")
    assert "ephemeral-storage" in told
