"""Compiled pods on a real node: what Podman and systemd make of the files."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
import yaml
from tests.live.lab_harness import LIST_RUNNING, wait_until
from tests.live.pod_node import PAGE, PodNode

from skerry.compile.tree import File
from skerry.lab import Lab

WEB = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
    - name: web
      image: IMAGE
      command: [httpd, -f, -p, "8080", -h, /www]
      ports: [{containerPort: 8080, hostPort: 8081}]
      resources: {limits: {memory: 48Mi, cpu: 250m}}
      volumeMounts: [{name: page, mountPath: /www}, {name: scratch, mountPath: /scratch}]
  volumes:
    - {name: page, configMap: {name: page}}
    - {name: scratch, emptyDir: {}}
"""
TWO = """
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  containers:
    - name: web
      image: IMAGE
      command: [httpd, -f, -p, "8080", -h, /shared]
      ports: [{containerPort: 8080, hostPort: 8082}]
      volumeMounts: [{name: shared, mountPath: /shared}]
    - name: side
      image: IMAGE
      command: [sh, -c]
      args:
        - |
          cp /page/index.html /shared/
          until wget -qO /shared/seen http://localhost:8080/index.html; do :; done
          exec sleep 100000
      volumeMounts: [{name: shared, mountPath: /shared}, {name: page, mountPath: /page}]
  volumes:
    - {name: page, configMap: {name: page}}
    - {name: shared, emptyDir: {}}
"""
TWO_UNITS = ("skerry-two.0-pod.service", "skerry-two.0.web.service", "skerry-two.0.side.service")
NASTY = [
    "", "", " ", "  two  spaces ", "\t", "\n", "line\nline\n", "\r\n", "\x01", "\x1b[31m", "\x7f",
    ";", ";;", "a;b", "\\;", "|", "&&", "#", "#!", "!", "*", "~", "{a,b}", "`id`", "$(id)",
    "$", "$$", "$HOME", "${HOME}", "$$HOME", "$(HOME)", "$$(X)", "%", "%%", "%h", "%n", "%i",
    "100%", '"', "'", "\"'", '"quoted"', "it's", "\\", "\\\\", "\\n", "\\x41", "\\u00e9", "a\\",
    "-", "--", "-x", "--name=x", "@x", "+x", ":x", "=", "A=B", "é", "✓", "😀", "\u00a0", "\u2028",
    "\ufeff", "日本 語", "[Service]", "[1, 2]", '{"a": "b"}', "\x0b\x0c", "/etc/*", "a" * 5000,
]  # fmt: skip


def random_words() -> list[str]:
    """Words of the characters that mean something to one of the readers on the way."""
    dice = random.Random(20)
    signs = " \t\n;\\\"'$%{}()[]#=-i,x0né\U0001f600"
    return ["".join(dice.choices(signs, k=dice.randint(0, 12))) for _ in range(150)]


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("pods")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("pods"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


@pytest.fixture
def running(pod_node: PodNode) -> PodNode:
    """The node on which `WEB` and `TWO` run: started once for the tests that leave them so."""
    wanted = {"web": WEB, "two": TWO}
    if pod_node.running != wanted:
        pod_node.clean()
        pod_node.start(**wanted)
    pod_node.wait_active(*TWO_UNITS, "skerry-web.0.service")
    return pod_node


def wait_restarts(node: PodNode, unit: str, least: int) -> None:
    """Waits until systemd has restarted the unit so many times."""
    wait_until(lambda: int(node.show(unit, "NRestarts")[0]) >= least, 30, f"{unit} again")


@pytest.mark.honours(
    "ObjectMeta.name",
    "ObjectMeta.labels",
    "PodSpec.containers",
    "Container.name",
    "Container.image",
    "Container.command",
    "ContainerPort.containerPort",
    "ContainerPort.hostPort",
    "ConfigMap.data",
    "ConfigMapVolumeSource.name",
    "Volume.name",
    "VolumeMount.name",
    "VolumeMount.mountPath",
)
def test_one_container_serves_its_config_map(running: PodNode) -> None:
    wait_until(lambda: running.fetch(8081) == "hello", 20, "the page")
    listing = f"{LIST_RUNNING} --format '{{{{.Names}}}}'"
    assert "skerry-web.0" in running.shell(listing).text.split()
    label = "podman inspect skerry-web.0 --format '{{json .Config.Labels}}'"
    labels = json.loads(running.shell(label).text)
    assert labels["skerry.workload"] == "web"
    assert labels["skerry.cloud"] == "pods"
    assert labels["app"] == "web"
    assert running.within("skerry-web.0", "hostname") == "web"


def test_config_map_is_the_roots_and_cannot_be_written(running: PodNode) -> None:
    seen = running.within(
        "skerry-web.0", "stat -c %u:%g:%a /www/index.html; echo x >/www/x || echo no"
    )
    assert seen.splitlines() == ["0:0:644", "no"]


@pytest.mark.honours("ResourceRequirements.limits", "ResourceList.memory", "ResourceList.cpu")
def test_limits_are_those_of_the_unit_that_holds_the_container(running: PodNode) -> None:
    size = str(48 * 1024 * 1024)
    wanted = ("MemoryMax", "MemorySwapMax", "CPUQuotaPerSecUSec", "OOMPolicy", "MemoryLow")
    assert running.show("skerry-web.0.service", *wanted) == [size, size, "250ms", "kill", size]
    pid = running.shell("podman inspect skerry-web.0 --format '{{.State.Pid}}'").text
    assert "0::/skerry-web.0.service/" in running.shell(f"cat /proc/{pid}/cgroup").text


@pytest.mark.claims("pod-user-namespace")
def test_root_in_a_container_is_nobody_on_the_node(running: PodNode) -> None:
    maps = {}
    for name in ("skerry-web.0", "skerry-two.0.web", "skerry-two.0.side"):
        lines = running.within(name, "cat /proc/self/uid_map").splitlines()
        ranges = [tuple(map(int, line.split())) for line in lines]
        assert all(outside > 1_000_000 for _, outside, _ in ranges)
        assert sum(length for _, _, length in ranges) == 65536
        maps[name] = ranges
    assert maps["skerry-two.0.web"] == maps["skerry-two.0.side"]
    assert maps["skerry-two.0.web"] != maps["skerry-web.0"]


@pytest.mark.honours("Volume.emptyDir")
def test_containers_of_a_pod_share_localhost_and_an_empty_dir(running: PodNode) -> None:
    wait_until(lambda: running.fetch(8082, "/seen") == "hello", 20, "the page")
    for container in ("web", "side"):
        name = f"skerry-two.0.{container}"
        assert running.within(name, "hostname; stat -c %u:%a /shared").split() == ["two", "0:777"]
    # Every user may write there, and owners are the same for both.
    running.shell("podman exec --user 65534 skerry-two.0.side touch /shared/by-nobody")
    assert running.within("skerry-two.0.web", "stat -c %u /shared/by-nobody") == "65534"


def test_container_of_a_pod_is_restarted_alone(running: PodNode) -> None:
    before = {unit: running.show(unit, "InvocationID") for unit in TWO_UNITS}
    running.shell("systemctl restart skerry-two.0.side.service")
    after = {unit: running.show(unit, "InvocationID") for unit in TWO_UNITS}
    assert [unit for unit in TWO_UNITS if before[unit] != after[unit]] == [TWO_UNITS[2]]
    wait_until(lambda: running.fetch(8082, "/seen") == "hello", 20, "the page")


def test_pod_survives_the_end_of_all_of_its_containers(running: PodNode) -> None:
    pod = running.show(TWO_UNITS[0], "InvocationID")
    running.shell("podman kill skerry-two.0.web skerry-two.0.side")
    for unit in TWO_UNITS[1:]:
        wait_restarts(running, unit, 1)
    running.wait_active(*TWO_UNITS)
    assert running.show(TWO_UNITS[0], "InvocationID") == pod


def test_pod_comes_back_with_its_containers_when_it_is_killed(running: PodNode) -> None:
    running.shell("kill -KILL $(systemctl show -P MainPID skerry-two.0-pod.service)")
    wait_until(lambda: running.show(TWO_UNITS[0], "NRestarts") == ["1"], 30, "the pod again")
    running.wait_active(*TWO_UNITS, timeout=30)
    wait_until(lambda: running.fetch(8082, "/seen") == "hello", 20, "the page")


def test_stopped_pod_leaves_nothing(node: PodNode) -> None:
    node.start(two=TWO, web=WEB)
    node.wait_active(*TWO_UNITS, "skerry-web.0.service")
    node.shell("systemctl stop skerry-two.0-pod.service skerry-web.0.service")
    assert node.shell("podman ps -aq; podman pod ls -q").text == ""
    for unit in (*TWO_UNITS, "skerry-web.0.service"):
        assert node.show(unit, "ActiveState", "Result") == ["inactive", "success"]


def test_containers_of_a_pod_stop_side_by_side(node: PodNode) -> None:
    tree = node.compile({"two": TWO})
    for path, file in tree.files.items():
        if path.endswith(".container"):
            text = file.content.decode()
            # PID 1 lets SIGTERM pass, so that each takes all of its time.
            quick = text.replace("--stop-timeout=30", "--stop-timeout=2 --stop-signal=TERM")
            assert quick != text
            tree.files[path] = File(quick.encode())
    node.put(tree)
    node.shell("systemctl start skerry-two.0-pod.service")
    node.wait_active(*TWO_UNITS)
    node.shell("systemctl stop skerry-two.0-pod.service")
    ends = []
    for unit in TWO_UNITS[1:]:
        lines = node.log(unit, "resorting to SIGKILL").splitlines()
        clock = next(line.split()[2] for line in lines if "resorting to SIGKILL" in line)
        hours, minutes, seconds = clock.split(":")
        ends.append(int(hours) * 3600 + int(minutes) * 60 + float(seconds))
    assert abs(ends[0] - ends[1]) < 1.5


@pytest.mark.honours(
    "EnvVar.name",
    "EnvVar.value",
    "Container.env",
    "Container.command",
    "Container.args",
    "ObjectMeta.annotations",
)
@pytest.mark.parametrize("words", [NASTY, random_words()], ids=["nasty", "random"])
def test_words_arrive_byte_for_byte(node: PodNode, words: list[str]) -> None:
    # What Podman does not pass on in a variable is an error of its own.
    values = [word for word in words if "\r\n" not in word]
    variables = [
        {"name": f"V{number}", "value": word.replace("$", "$$")}
        for number, word in enumerate(values)
    ]
    variables.append({"name": "PUT.TOGETHER-", "value": "<$(V0)$(V2)$(NOT_THERE)>"})
    escaped = [word.replace("$", "$$") for word in words]
    script = "cat /proc/1/cmdline >/out/words; cat /proc/1/environ >/out/env; touch /out/done; "
    container = {
        "name": "c",
        "image": "IMAGE",
        "command": ["sh", "-c", script + "exec sleep 100000", "$(PUT.TOGETHER-)", *escaped],
        "args": [*escaped, "$(V2)", "last"],
        "env": variables,
        "volumeMounts": [{"name": "out", "mountPath": "/out"}],
    }
    out = {"name": "out", "hostPath": {"path": "/srv/out", "type": "DirectoryOrCreate"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "words",
            "annotations": {f"a{number}": word for number, word in enumerate(words)},
        },
        "spec": {"containers": [container], "volumes": [out]},
    }
    node.start(words=yaml.safe_dump(pod))
    node.log("skerry-words.0.service", "Started")
    wait_until(lambda: node.shell("test -e /srv/out/done", check=False).status == 0, 20)
    seen = node.read("/srv/out/words").decode().split("\0")[3:-1]
    together = f"<{words[0]}{words[2]}$(NOT_THERE)>"
    assert seen == [together, *words, *words, words[2], "last"]
    environment = dict(
        entry.split("=", 1) for entry in node.read("/srv/out/env").decode().split("\0")[:-1]
    )
    assert [environment[f"V{number}"] for number in range(len(values))] == values
    assert environment["PUT.TOGETHER-"] == together
    inspect = "podman inspect skerry-words.0 --format '{{json .Config.Annotations}}'"
    annotations = json.loads(node.shell(inspect).stdout)
    assert [annotations[f"a{number}"] for number in range(len(words))] == words


HOST_PATHS = """
apiVersion: v1
kind: Pod
metadata: {name: paths}
spec:
  containers:
    - name: c
      image: IMAGE
      command: [sleep, "100000"]
      volumeMounts:
        - {name: made, mountPath: /made}
        - {name: there, mountPath: "/the re"}
        - {name: file, mountPath: /file, readOnly: true}
        - {name: proc, mountPath: /host/sys, readOnly: true}
  volumes:
    - {name: made, hostPath: {path: /srv/made/deep, type: DirectoryOrCreate}}
    - {name: there, hostPath: {path: "/srv/a $b%n \\"c", type: Directory}}
    - {name: file, hostPath: {path: /srv/file, type: File}}
    - {name: proc, hostPath: {path: /sys/kernel}}
"""


@pytest.mark.honours(
    "HostPathVolumeSource.path", "HostPathVolumeSource.type", "VolumeMount.readOnly"
)
def test_host_paths_show_the_owners_of_the_node(node: PodNode) -> None:
    node.shell("""mkdir '/srv/a $b%n "c'; echo x >/srv/file; chown 1000:1001 /srv/file""")
    node.shell("""chmod 700 '/srv/a $b%n "c'; touch '/srv/a $b%n "c/f'""")
    node.start(paths=HOST_PATHS)
    name = "skerry-paths.0"
    assert node.within(name, "stat -c %u:%g /file; cat /file").split() == ["1000:1001", "x"]
    assert node.within(name, "echo y >/file || echo read-only") == "read-only"
    node.within(name, 'touch /made/by-root "/the re/f"; ls /host/sys >/dev/null')
    assert node.shell("stat -c %U:%a /srv/made/deep /srv/made/deep/by-root").text.split() == [
        "root:755",
        "root:644",
    ]


def test_missing_folder_is_named_and_waited_for(node: PodNode) -> None:
    pod = HOST_PATHS.replace('/srv/a $b%n \\"c', "/srv/later")
    node.shell("touch /srv/file")
    tree = node.compile({"paths": pod})
    node.put(tree)
    node.shell("systemctl start skerry-paths.0.service", check=False)
    node.log("skerry-paths.0.service", "hostPath /srv/later: no folder there")
    node.shell("mkdir /srv/later")
    node.wait_active("skerry-paths.0.service")


@pytest.mark.honours("PodSpec.hostNetwork")
def test_host_network_is_the_nodes_with_its_low_ports(node: PodNode) -> None:
    pod = WEB.replace("  containers:", "  hostNetwork: true\n  containers:")
    pod = pod.replace('"8080"', '"80"').replace("8080, hostPort: 8081", "80")
    node.start(web=pod)
    wait_until(lambda: node.fetch(80) == "hello", 20, "the page")
    assert node.within("skerry-web.0", "hostname") == node.node.name
    assert node.within("skerry-web.0", "cat /proc/self/uid_map").split() == ["0", "0", "4294967295"]
    node.within("skerry-web.0", "touch /scratch/x")


def test_host_network_of_a_pod_with_two_containers(node: PodNode) -> None:
    pod = TWO.replace("  containers:", "  hostNetwork: true\n  containers:", 1)
    node.start(two=pod.replace(", hostPort: 8082", ""))
    wait_until(lambda: node.fetch(8080, "/seen") == "hello", 20, "the page")


def test_log_has_both_streams_with_their_priorities(node: PodNode) -> None:
    script = "echo out; echo err >&2; echo by-name >/dev/stdout; exec sleep 100000"
    pod = WEB.replace('[httpd, -f, -p, "8080", -h, /www]', f'[sh, -c, "{script}"]')
    node.start(web=pod)
    node.log("skerry-web.0.service", "by-name")
    command = "journalctl -q -o json -u skerry-web.0.service --output-fields=MESSAGE,PRIORITY"
    entries = [json.loads(line) for line in node.shell(command).text.splitlines()]
    found = {str(entry["MESSAGE"]).strip(): entry["PRIORITY"] for entry in entries}
    assert (found["out"], found["err"], found["by-name"]) == ("6", "3", "6")


@pytest.mark.honours("PodSpec.restartPolicy")
def test_restart_policies(node: PodNode) -> None:
    base = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  restartPolicy: POLICY\n" \
        "  containers: [{name: c, image: IMAGE, command: [sh, -c, 'exit STATUS']}]\n"  # fmt: skip

    def pod(policy: str, status: int) -> str:
        return base.replace("POLICY", policy).replace("STATUS", str(status))

    node.start(
        always=pod("Always", 0),
        failing=pod("OnFailure", 3),
        killed=pod("OnFailure", 137),
        done=pod("OnFailure", 0),
        never=pod("Never", 3),
    )
    for name in ("always", "failing", "killed"):
        unit = f"skerry-{name}.0.service"
        wait_restarts(node, unit, 2)
    done = node.show("skerry-done.0.service", "ActiveState", "Result", "NRestarts")
    assert done == ["inactive", "success", "0"]
    never = node.show("skerry-never.0.service", "ActiveState", "Result", "NRestarts")
    assert never == ["failed", "exit-code", "0"]


def test_changed_image_or_key_changes_the_files_that_the_unit_depends_on(node: PodNode) -> None:
    first = node.start(web=WEB)
    node.within("skerry-web.0", "echo kept >/scratch/x")
    second = node.start(PAGE.replace("hello", "bye"), web=WEB)
    changed = {path for path in first.files if first.files[path] != second.files[path]}
    assert changed == {"/etc/skerry/config/page/index.html"}
    assert changed <= set(second.units["skerry-web.0.service"].files)
    node.shell("systemctl restart skerry-web.0.service")
    wait_until(lambda: node.fetch(8081) == "bye", 20, "the page")
    # What the container wrote outlives it: only the end of the pod removes it.
    assert node.within("skerry-web.0", "cat /scratch/x") == "kept"
    (folder,) = second.units["skerry-web.0.service"].volumes
    assert node.read(f"{folder}/x") == b"kept\n"


def test_pods_are_back_after_a_reboot(running: PodNode) -> None:
    wait_until(lambda: running.fetch(8081) and running.fetch(8082, "/seen"), 20)
    running.within("skerry-web.0", "echo kept >/scratch/x")
    running.shell("podman exec --user 1234 skerry-web.0 touch /scratch/mine")
    running.node.reboot()
    wait_until(
        lambda: running.fetch(8081) == "hello" == running.fetch(8082, "/seen"), 60, "both pods"
    )
    assert running.within("skerry-web.0", "cat /scratch/x; stat -c %u /scratch/mine").split() == [
        "kept",
        "1234",
    ]
