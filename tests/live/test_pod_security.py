"""Security contexts as the running container and the kernel show them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from tests.live.lab_harness import wait_until
from tests.live.pod_node import PodNode

from skerry.errors import CloudInvalid
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
# The kernel's numbers of capabilities (capability.h).
CHOWN, NET_BIND_SERVICE, NET_ADMIN, SYS_CHROOT = 0, 10, 12, 18
REFUSES_FOLDERS = """
{"defaultAction": "SCMP_ACT_ALLOW",
 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
"""


def pod(name: str, container: str = "", spec: str = "") -> str:
    """A pod with more fields in its container and in its spec."""
    manifest = yaml.safe_load(POD.replace("NAME", name))
    manifest["spec"]["containers"][0] |= yaml.safe_load(container or "{}")
    manifest["spec"] |= yaml.safe_load(spec or "{}")
    return yaml.safe_dump(manifest)


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("security")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("security"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def start(node: PodNode, **pods: str) -> None:
    """Starts the pods and waits for them."""
    node.start(**pods)
    node.wait_active(*(f"skerry-{name}.0.service" for name in pods))


def status_of(node: PodNode, name: str) -> dict[str, str]:
    """/proc/PID/status of the container's first process, as the node's kernel shows it."""
    pid = node.shell(f"podman inspect skerry-{name}.0 --format '{{{{.State.Pid}}}}'").text.strip()
    lines = node.shell(f"cat /proc/{pid}/status").text.splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def capabilities(status: dict[str, str]) -> set[int]:
    bits = int(status["CapEff"], 16)
    return {number for number in range(64) if bits >> number & 1}


@pytest.mark.honours(
    "SecurityContext.runAsUser",
    "SecurityContext.runAsGroup",
    "PodSecurityContext.runAsUser",
    "PodSecurityContext.runAsGroup",
    "PodSecurityContext.supplementalGroups",
    "PodSecurityContext.fsGroup",
    "Container.securityContext",
    "PodSpec.securityContext",
)
def test_users_and_groups(node: PodNode) -> None:
    context = "securityContext: {runAsUser: 1000, runAsGroup: 2000, fsGroup: 3000, " \
        "supplementalGroups: [4000, 5000]}"  # fmt: skip
    start(
        node,
        pods=pod("pods", spec=context),
        own=pod("own", "securityContext: {runAsUser: 1001, runAsGroup: 2001}", context),
        group=pod("group", "securityContext: {runAsGroup: 2002}"),
    )
    show = "id -u; id -g; grep Groups /proc/1/status"
    assert node.within("skerry-pods.0", show).split() == [
        "1000", "2000", "Groups:", "2000", "3000", "4000", "5000",
    ]  # fmt: skip
    assert node.within("skerry-own.0", show).split() == [
        "1001", "2001", "Groups:", "2001", "3000", "4000", "5000",
    ]  # fmt: skip
    assert node.within("skerry-group.0", "id -u; id -g").split() == ["0", "2002"]


@pytest.mark.honours("SecurityContext.runAsNonRoot", "PodSecurityContext.runAsNonRoot")
def test_root_is_refused(node: PodNode) -> None:
    context = "securityContext: {runAsNonRoot: true}"
    for manifest in (pod("bad", context), pod("bad", spec=context)):
        with pytest.raises(CloudInvalid) as caught:
            node.compile({"bad": manifest}, user="")
        (problem,) = caught.value.problems
        assert "runs as root" in problem.message
        assert "image: IMAGE" in manifest.splitlines()[problem.line - 1]
    # Not known to the operator, and a name: the node looks.
    for user in (None, "root"):
        node.running = {"bad": ""}
        node.put(node.compile({"bad": pod("bad", context)}, user=user))
        node.shell("systemctl start skerry-bad.0.service", check=False)
        node.log("skerry-bad.0.service", "runAsNonRoot: the image runs as root")
        assert node.shell("podman ps -aq").text == ""
        node.clean()
    good = pod("good", context.replace("}", ", runAsUser: 1000}"))
    start(node, good=good)
    assert node.within("skerry-good.0", "id -u") == "1000"


@pytest.mark.honours("SecurityContext.readOnlyRootFilesystem")
def test_root_file_system_is_read_only(node: PodNode) -> None:
    start(
        node,
        rigid=pod("rigid", "securityContext: {readOnlyRootFilesystem: true}"),
        soft=pod("soft"),
    )
    script = "for d in / /etc /tmp /run /dev/shm; do touch $d/x 2>/dev/null && echo $d; done; true"
    assert node.within("skerry-rigid.0", script).split() == ["/dev/shm"]
    assert node.within("skerry-soft.0", script).split() == ["/", "/etc", "/tmp", "/run", "/dev/shm"]


@pytest.mark.honours(
    "SecurityContext.capabilities",
    "Capabilities.add",
    "Capabilities.drop",
)
@pytest.mark.claims("pod-capabilities")
def test_capabilities(node: PodNode) -> None:
    start(
        node,
        plain=pod("plain"),
        none=pod("none", "securityContext: {capabilities: {drop: [ALL]}}"),
        one=pod("one", "securityContext: {capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}"),
        more=pod("more", "securityContext: {capabilities: {add: [NET_ADMIN], drop: [CHOWN]}}"),
        all=pod("all", "securityContext: {capabilities: {add: [ALL], drop: [SYS_CHROOT]}}"),
    )
    found = {
        name: capabilities(status_of(node, name))
        for name in ("plain", "none", "one", "more", "all")
    }
    assert CHOWN in found["plain"]
    assert found["none"] == set()
    assert found["one"] == {NET_BIND_SERVICE}
    assert found["more"] == (found["plain"] | {NET_ADMIN}) - {CHOWN}
    assert len(found["all"]) > 30
    assert SYS_CHROOT not in found["all"]
    change = "ip link set lo down && ip link set lo up && echo yes || echo no"
    assert node.within("skerry-more.0", change) == "yes"
    assert node.within("skerry-plain.0", change) == "no"


@pytest.mark.honours("SecurityContext.privileged", "PodSpec.hostUsers")
def test_privileged_with_the_nodes_users_and_with_its_own(node: PodNode) -> None:
    privileged = "securityContext: {privileged: true}"
    start(
        node,
        plain=pod("plain"),
        users=pod("users", spec="hostUsers: true"),
        inner=pod("inner", privileged, "hostUsers: false"),
        outer=pod("outer", privileged, "hostUsers: true"),
    )
    maps = {
        name: node.within(f"skerry-{name}.0", "cat /proc/self/uid_map").split()
        for name in ("plain", "users", "inner", "outer")
    }
    assert maps["users"] == maps["outer"] == ["0", "0", "4294967295"]
    for name in ("plain", "inner"):
        assert int(maps[name][1]) > 65535
        assert maps[name][2] == "65536"
    assert maps["plain"][1] != maps["inner"][1]
    filters = {name: int(status_of(node, name)["Seccomp_filters"]) for name in maps}
    assert filters["inner"] == filters["outer"] < filters["plain"]
    mount = "mount -t tmpfs none /www && echo yes || echo no"
    assert node.within("skerry-inner.0", mount) == node.within("skerry-outer.0", mount) == "yes"
    assert node.within("skerry-plain.0", mount) == "no"


@pytest.mark.honours("SecurityContext.allowPrivilegeEscalation")
@pytest.mark.claims("pod-new-privileges")
def test_no_new_privileges(node: PodNode) -> None:
    start(
        node,
        tight=pod("tight", "securityContext: {allowPrivilegeEscalation: false}"),
        loose=pod("loose", "securityContext: {allowPrivilegeEscalation: true}"),
        plain=pod("plain"),
    )
    found = {name: status_of(node, name)["NoNewPrivs"] for name in ("tight", "loose", "plain")}
    assert found == {"tight": "1", "loose": "0", "plain": "0"}


@pytest.mark.honours(
    "SecurityContext.seccompProfile",
    "PodSecurityContext.seccompProfile",
    "SeccompProfile.type",
    "SeccompProfile.localhostProfile",
)
@pytest.mark.claims("pod-system-calls")
def test_filters_of_system_calls(node: PodNode) -> None:
    mine = "seccompProfile: {type: Localhost, localhostProfile: mine/no-folders.json}"
    tree = node.compile({"mine": pod("mine", f"securityContext: {{{mine}}}")})
    node.put(tree)
    node.running = {"mine": ""}
    node.shell("systemctl start skerry-mine.0.service", check=False)
    path = "/var/lib/kubelet/seccomp/mine/no-folders.json"
    node.log("skerry-mine.0.service", f"seccompProfile {path}: no file there")
    node.shell(f"mkdir -p {path.rpartition('/')[0]}; cat >{path}", input=REFUSES_FOLDERS.encode())
    node.wait_active("skerry-mine.0.service")
    folder = "mkdir /tmp/x 2>/dev/null && echo yes || echo no"
    wait_until(lambda: node.within("skerry-mine.0", "echo up") == "up", 20)
    assert node.within("skerry-mine.0", folder) == "no"
    node.clean()
    unconfined = "securityContext: {seccompProfile: {type: Unconfined}}"
    default = "securityContext: {seccompProfile: {type: RuntimeDefault}}"
    start(
        node,
        plain=pod("plain"),
        open=pod("open", spec=unconfined),
        closed=pod("closed", default, unconfined),
    )
    assert node.within("skerry-plain.0", folder) == "yes"
    filters = {
        name: int(status_of(node, name)["Seccomp_filters"]) for name in ("plain", "open", "closed")
    }
    assert filters["closed"] == filters["plain"] == filters["open"] + 1


@pytest.mark.honours("PodSecurityContext.sysctls", "Sysctl.name", "Sysctl.value")
def test_kernel_parameters_are_the_pods_own(node: PodNode) -> None:
    sysctls = (
        "securityContext: {sysctls: [{name: net.core.somaxconn, value: '77'}, "
        "{name: net/ipv4/ping_group_range, value: '0 100'}]}"
    )
    two = yaml.safe_load(pod("two", spec=sysctls))
    two["spec"]["containers"].append({**two["spec"]["containers"][0], "name": "d"})
    before = node.shell("cat /proc/sys/net/core/somaxconn").text
    node.start(one=pod("one", spec=sysctls), two=yaml.safe_dump(two))
    node.wait_active("skerry-one.0.service", "skerry-two.0.c.service", "skerry-two.0.d.service")
    show = "cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ping_group_range"
    for name in ("skerry-one.0", "skerry-two.0.c", "skerry-two.0.d"):
        assert node.within(name, show).split() == ["77", "0", "100"]
    assert node.shell("cat /proc/sys/net/core/somaxconn").text == before


@pytest.mark.honours("PodSecurityContext.sysctls")
def test_kernel_parameters_of_ipc(node: PodNode) -> None:
    sysctls = "securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}]}"
    # A container's own in a lab node, for there the kernel is that of this computer.
    node.shell("mount -o remount,bind,rw /proc/sys")
    try:
        start(node, ipc=pod("ipc", spec=sysctls))
        assert node.within("skerry-ipc.0", "cat /proc/sys/kernel/shm_rmid_forced") == "1"
        assert node.shell("cat /proc/sys/kernel/shm_rmid_forced").text.strip() == "0"
    finally:
        node.shell("mount -o remount,bind,ro /proc/sys")
