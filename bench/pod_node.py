"""A node on which the same pods are run in several ways."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.lab import BenchLab, skerry
from bench.measure import RunFailed, measure
from bench.stage import say
from skerry.edge.run import Command, run
from skerry.errors import CommandFailed

# So many pods are run at a time.
PODS = 5
FIRST_PORT = 8101
SERVE = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"
BESIDE = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"
# How long pods may take to come up, and what is left of others to go, in seconds.
PATIENCE = 120.0
# All processes but kernel threads: command, proportional share of memory in bytes, and whether it
# is in a container, told by its process ids' namespace; by what no other process will have.
LIST_PROCESSES = """
import json, os
here, found = os.readlink("/proc/self/ns/pid"), {}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        comm = open("/proc/%s/comm" % pid).read().strip()
        pss = [line for line in open("/proc/%s/smaps_rollup" % pid) if line.startswith("Pss:")]
        inside = os.readlink("/proc/%s/ns/pid" % pid) != here
        start = open("/proc/%s/stat" % pid).read().rpartition(")")[2].split()[19]
    except OSError:
        continue
    if pss:
        size = int(pss[0].split()[1]) * 1024
        found[pid + "@" + start] = {"comm": comm, "pss": size, "is_inside": inside}
print(json.dumps(found))
"""
# The one who looks comes in by ssh.
LOOKING = ("sshd", "sshd-session", "sshd-auth", "python3", "sh", "bash", "systemd", "(sd-pam)")
STARTING = ("podman", "docker", "netavark", "crun", "runc", "python3", "systemd-run")


class Process(msgspec.Struct, frozen=True):
    """A process: its command's name, its share of memory in bytes, whether it is in a container."""

    comm: str
    pss: int
    is_inside: bool


class Runtime(msgspec.Struct, frozen=True):
    """A way to run pods: starts `PODS` with so many containers each, and removes them.

    `folders` are those that it writes to.
    """

    name: str
    start: Callable[[int], object]
    remove: Callable[[int], object]
    folders: str


class PodNode:
    """The lab's only node, and the cloud folder that it is the only node of."""

    def __init__(self, lab: BenchLab, folder: Path) -> None:
        from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image

        self.lab = lab
        self.folder = folder
        self.image = BUSYBOX_IMAGE
        ((self.name, address),) = lab.addresses.items()
        build_busybox_image()
        archive = run(Command.of("podman", "save", self.image)).stdout
        lab.ssh(self.name, "podman load", input=archive)
        measure(skerry("init", str(folder), "--name", "pods", "--lab", lab.name))
        measure(skerry("node", "add", self.name, f"root@{address}", folder=folder))
        for example in (folder / "pods").iterdir():
            example.unlink()
        self.nothing = (folder / "cloud.yaml").read_text()
        # What comes with a first run (networks, stores, the node program) is no pod's.
        for runtime in (self.ours, self.kube_play):
            runtime.start(1)
            runtime.remove(1)

    def ssh(self, remote: str, content: str = "") -> str:
        """What a shell command prints on the node."""
        return self.lab.ssh(self.name, remote, input=content.encode())

    @property
    def ours(self) -> Runtime:
        """The pods in a cloud folder, applied."""

        def start(containers: int) -> None:
            for number in range(PODS):
                text = manifest(number, self.image, containers=containers)
                (self.folder / f"pods/pod-{number}.yaml").write_text(text)
            apply("".join(f"  pod-{one}: {{pod: pods/pod-{one}.yaml}}\n" for one in range(PODS)))

        def remove(containers: int) -> None:
            apply("")

        def apply(places: str) -> None:
            placed = (
                self.nothing.replace("run: {}\n", f"run:\n{places}") if places else self.nothing
            )
            (self.folder / "cloud.yaml").write_text(placed)
            measure(skerry("apply", "--yes", folder=self.folder))

        folders = "/var/lib/containers /var/lib/skerry /etc/containers /etc/systemd/system"
        return Runtime("skerry", start, remove, folders)

    @property
    def kube_play(self) -> Runtime:
        """The same manifests, played by Podman."""

        def start(containers: int) -> None:
            for number in range(PODS):
                self.ssh("podman kube play -", manifest(number, self.image, containers=containers))

        def remove(containers: int) -> None:
            for number in range(PODS):
                self.ssh("podman kube down -", manifest(number, self.image, containers=containers))

        return Runtime("kube play", start, remove, "/var/lib/containers")

    @property
    def docker(self) -> Runtime:
        """The same containers; those of a pod share the network of the first."""

        def start(containers: int) -> None:
            for number in range(PODS):
                web = f'-p {FIRST_PORT + number}:8080 {self.image} sh -c "{SERVE}"'
                self.ssh(f"docker run -d --name pod-{number} {web}")
                if containers > 1:
                    beside = f'--network container:pod-{number} {self.image} sh -c "{BESIDE}"'
                    self.ssh(f"docker run -d --name pod-{number}-beside {beside}")

        def remove(containers: int) -> None:
            self.ssh("docker rm -f $(docker ps -aq)")

        return Runtime("docker run", start, remove, "/var/lib/docker /var/lib/containerd")

    def runtimes(self) -> dict[str, Runtime]:
        """Skerry and the peers by name; without Docker where that is not to be had."""
        found = [self.ours, self.kube_play]
        script = (
            "set -e; export DEBIAN_FRONTEND=noninteractive; apt-get -q update; "
            "apt-get install -q -y --no-install-recommends docker.io docker-cli; "
            f"podman save {self.image} | docker load"
        )
        try:
            self.ssh(f"{{ {script}; }} >&2")
        except CommandFailed as error:
            say(f"no figures of Docker: {error}")
        else:
            found.append(self.docker)
        return {one.name: one for one in found}

    def processes(self) -> dict[str, Process]:
        """The processes of the node, by what no other one will have."""
        found = msgspec.json.decode(self.ssh("python3 -", LIST_PROCESSES), type=dict[str, Process])
        return {key: one for key, one in found.items() if one.is_inside or one.comm not in LOOKING}

    def is_starting(self) -> bool:
        """Whether programs are at work that start or stop pods and then end."""
        listed = self.ssh("ps -eo comm=,args=").splitlines()
        return any(line.split()[0] in STARTING and " - " not in line for line in listed)

    def disk(self, folders: str) -> int:
        """The bytes that files below these folders take; mounts are left out."""
        listed = self.ssh(f"sync; du -sxB1 {folders} || true").splitlines()
        return sum(int(line.split()[0]) for line in listed)

    def answering(self) -> int:
        """How many of the pods are answering at their ports."""
        ports = " ".join(str(FIRST_PORT + number) for number in range(PODS))
        ask = "curl -s -o /dev/null -m 1 http://127.0.0.1:$p/"
        return len(self.ssh(f"for p in {ports}; do {ask}; test $? = 7 || echo $p; done").split())

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Returns when the condition holds. Raises `RunFailed` when it does not in time."""
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until:
                raise RunFailed(f"not within {PATIENCE:g} s: {what}")
            time.sleep(0.2)


def manifest(number: int, image: str, *, containers: int) -> str:
    """A pod that serves HTTP, with a second container that does nothing if there are two."""
    serve = {
        "name": "web",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", SERVE],
        "ports": [{"containerPort": 8080, "hostPort": FIRST_PORT + number}],
    }
    beside = {
        "name": "beside",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", BESIDE],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number}"},
        "spec": {"containers": [serve, beside][:containers]},
    }
    # JSON is YAML.
    return json.dumps(pod, indent=1)
