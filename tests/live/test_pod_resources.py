"""Limits and requests, on a machine of 512 MB that has a kernel of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.pod_node import PodNode
from tests.live.uml_machine import build_image, find_kernel, run_machine

from skerry.edge.run import Command, run
from skerry.lab import Lab

# The node's network: the machine has none that a bridge could lead to.
POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  hostNetwork: true
  containers:
    - name: c
      image: IMAGE
      volumeMounts: [{name: files, mountPath: /files}]
  volumes:
    - {name: files, hostPath: {path: /srv, type: Directory}}
"""
ALLOCATE = ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"]
SPIN = ["sh", "-c", "while :; do :; done"]
# Each line that it prints is a name and a value.
SCRIPT = """
group() { echo /sys/fs/cgroup$(systemctl show -P ControlGroup skerry-$1.0.service); }
used() { awk '$1 == "usage_usec" { print $2 }' $(group $1)/cpu.stat; }
cached() { awk '$1 == "file" { print $2 }' $(group $1)/memory.stat; }
now() { awk '{ print int($1 * 1000000) }' /proc/uptime; }
ended() {
    while systemctl -q is-active $1 || [ $(systemctl show -P ActiveState $1) = activating ]; do
        sleep 0.1
    done
}
podman load -q -i image.tar >/dev/null
cp -r tree/. /
truncate -s 80M /srv/keeper /srv/loser
truncate -s 600M /srv/large
systemctl daemon-reload

for pod in large small; do
    systemctl start --no-block skerry-$pod.0.service
    systemctl start skerry-$pod.0.service
    ended skerry-$pod.0.service
    echo $pod.result $(systemctl show -P Result skerry-$pod.0.service)
    echo $pod.status $(systemctl show -P ExecMainStatus skerry-$pod.0.service)
done
echo killed $(journalctl -k --no-pager | grep -c 'Memory cgroup out of memory')

systemctl start skerry-bounded.0.service
u=$(used bounded) t=$(now); sleep 3
echo bounded.permille $(( ($(used bounded) - u) * 1000 / ($(now) - t) ))
echo bounded.throttled $(awk '$1 == "nr_throttled" { print $2 }' $(group bounded)/cpu.stat)
systemctl kill -s KILL skerry-bounded.0.service; systemctl stop skerry-bounded.0.service

systemctl start skerry-heavy.0.service skerry-light.0.service
h=$(used heavy) l=$(used light); sleep 4
echo heavy $(( $(used heavy) - h ))
echo light $(( $(used light) - l ))
systemctl kill -s KILL skerry-heavy.0.service skerry-light.0.service
systemctl stop skerry-heavy.0.service skerry-light.0.service

systemctl start skerry-keeper.0.service skerry-loser.0.service
for pod in keeper loser; do
    podman exec skerry-$pod.0 dd if=/files/$pod of=/dev/null bs=1M 2>/dev/null
    echo $pod.before $(cached $pod)
done
systemctl start skerry-reader.0.service
ended skerry-reader.0.service
for pod in keeper loser; do echo $pod.after $(cached $pod); done
"""


def pod(name: str, command: list[str], *, policy: str = "Always", **resources: object) -> str:
    manifest = yaml.safe_load(POD.replace("NAME", name))
    manifest["spec"]["restartPolicy"] = policy
    manifest["spec"]["containers"][0] |= {"command": command, "resources": resources}
    return yaml.safe_dump(manifest)


@pytest.fixture(scope="module")
def told(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the machine saw: names and values."""
    lab = new_lab("machine")
    kernel = find_kernel(lab)
    if kernel is None:
        pytest.skip("no user-mode Linux: neither SKERRY_UML_KERNEL nor user-mode-linux")
    lab.up(nodes=1, with_podman=True)
    folder: Path = tmp_path_factory.mktemp("machine")
    node = PodNode(lab, folder)
    wait = ["sleep", "100000"]
    read = ["dd", "if=/files/large", "of=/dev/null", "bs=1M"]
    tree = node.compile({
        "large": pod("large", ALLOCATE, policy="Never", limits={"memory": "48Mi"}),
        "small": pod("small", ALLOCATE, policy="Never", limits={"memory": "160Mi"}),
        "bounded": pod("bounded", SPIN, limits={"cpu": "200m"}),
        "heavy": pod("heavy", SPIN, requests={"cpu": "800m"}),
        "light": pod("light", SPIN, requests={"cpu": "100m"}),
        "keeper": pod("keeper", wait, requests={"memory": "100Mi"}),
        "loser": pod("loser", wait),
        "reader": pod("reader", read, policy="Never"),
    })  # fmt: skip
    archive = run(Command.of("podman", "save", BUSYBOX_IMAGE)).stdout
    files = {"script": SCRIPT.encode(), "image.tar": archive}
    files |= {f"tree{path}": file.content for path, file in tree.files.items()}
    text = run_machine(kernel, build_image(lab), folder, files)
    print(text)
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


@pytest.mark.honours(
    "Container.resources",
    "ResourceRequirements.limits",
    "ResourceList.memory",
)
def test_container_that_takes_more_memory_than_its_limit_is_killed(told: dict[str, str]) -> None:
    assert told["large.result"] == "oom-kill"
    assert int(told["large.status"]) in (9, 137)
    assert (told["small.result"], told["small.status"]) == ("success", "0")
    assert int(told["killed"]) >= 1


@pytest.mark.honours("ResourceRequirements.limits", "ResourceList.cpu")
def test_container_gets_no_more_cpu_than_its_limit(told: dict[str, str]) -> None:
    assert 100 < int(told["bounded.permille"]) < 260
    assert int(told["bounded.throttled"]) > 5


@pytest.mark.honours("ResourceRequirements.requests", "ResourceList.cpu")
def test_cpu_is_shared_by_requests(told: dict[str, str]) -> None:
    ratio = int(told["heavy"]) / int(told["light"])
    assert 5 < ratio < 12


@pytest.mark.honours("ResourceRequirements.requests", "ResourceList.memory")
def test_memory_that_was_asked_for_is_not_taken_away(told: dict[str, str]) -> None:
    cached = {name: int(told[name]) >> 20 for name in told if name.endswith(("before", "after"))}
    assert cached["keeper.before"] >= 75
    assert cached["loser.before"] >= 75
    assert cached["keeper.after"] >= 75
    assert cached["loser.after"] < 40
