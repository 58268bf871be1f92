"""A lab node on which a compiled tree is put by hand: no push, no node program."""

from __future__ import annotations

import io
import re
import tarfile
from http.client import HTTPConnection
from pathlib import Path

import msgspec
from tests.kubernetes_schema import text_faults
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import run_on, wait_until

from skerry.compile.cloud import compile_cloud
from skerry.compile.lock import Lock, NodeFacts, ResolvedImage
from skerry.compile.tree import File, Tree
from skerry.edge.run import Command, Finished, run
from skerry.errors import CommandFailed
from skerry.lab import Lab, Node
from skerry.load.cloud import load_cloud

PAGE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: hello}
"""
# What is not the lab's, so that a test can tell that it is this.
FACTS = NodeFacts(memory=500 << 20, system=70 << 20, cpus=3)
_CLEAN = r"""
cd /etc/containers/systemd
units=$(ls | sed -n 's/\.container$/.service/p; s/\.pod$/-pod.service/p')
[ -z "$units" ] || systemctl stop $units
for path in /var/lib/skerry/volumes/*; do ! mountpoint -q "$path" || umount "$path"; done
rm -rf /etc/containers/systemd/* /etc/systemd/system/skerry-* /etc/skerry /srv/*
rm -rf /var/lib/skerry/volumes /var/lib/skerry/completed /var/lib/skerry/claims
systemctl daemon-reload
systemctl reset-failed
"""

# What became of the units that were started.
_TELL = """
journalctl --sync
systemctl list-units --all --no-pager --no-legend 'skerry-*'
journalctl -q --no-pager -o short-precise --grep 'skerry|podman|conmon' | tail -n 60
"""
_REVISION = re.compile(r"(skerry-[a-z0-9-]+\.\d+)-[0-9a-f]{8}(?![0-9a-z])")
_REVISION_BYTES = re.compile(_REVISION.pattern.encode())


class PodNode:
    """The node of a lab, and a cloud folder with that node alone."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.running: dict[str, str] = {}
        self.image_id = build_busybox_image()
        archive = run(Command.of("podman", "save", BUSYBOX_IMAGE)).stdout
        self.shell("podman load --quiet", input=archive)
        for file in ("/etc/subuid", "/etc/subgid"):
            self.shell(
                f"grep -qs containers: {file} || echo containers:2147483647:2147483648 >>{file}"
            )
        self.shell("mkdir -p /etc/containers/systemd")

    @property
    def node(self) -> Node:
        """The one node."""
        return self.lab.nodes[0]

    def shell(self, script: str, *, check: bool = True, input: bytes | None = None) -> Finished:
        """Runs a shell command on the node as root."""
        return run_on(self.node, script, check=check, input=input)

    def compile(
        self, manifests: dict[str, str], config: str = PAGE, *, user: str | None = ""
    ) -> Tree:
        """The node's tree with a pod of each of the manifests, which use the image ``IMAGE``.

        `config` holds the folder's ConfigMaps; `user` is the image's as cloud.lock has it.
        """
        pods = self.folder / "pods"
        pods.mkdir(exist_ok=True)
        for old in pods.iterdir():
            old.unlink()
        faults = [fault for text in (config, *manifests.values()) for fault in text_faults(text)]
        assert not faults, f"Kubernetes would refuse what this test deploys: {faults}"
        (pods / "config.yaml").write_text(config)
        for name, text in manifests.items():
            (pods / f"{name}.yaml").write_text(text.replace("IMAGE", BUSYBOX_IMAGE))
        places = "".join(f"  {name}: {{pod: pods/{name}.yaml}}\n" for name in manifests)
        nodes = f"  {self.node.name}: {{ssh: root@{self.node.address}}}\n"
        (self.folder / "cloud.yaml").write_text(f"name: pods\nnodes:\n{nodes}run:\n{places}")
        image = ResolvedImage(id=self.image_id, size=0, user=user)
        lock = Lock(images={BUSYBOX_IMAGE: image}, nodes={self.node.name: FACTS})
        trees = compile_cloud(load_cloud(self.folder), lock)
        return without_revisions(trees[self.node.name])

    def start(self, config: str = PAGE, **manifests: str) -> Tree:
        """Compiles the manifests, puts the files on the node and starts all units."""
        self.running = manifests
        tree = self.compile(manifests, config)
        self.put(tree)
        try:
            self.shell(f"systemctl start {' '.join(tree.units)}")
        except CommandFailed as fault:
            fault.add_note(self.shell(_TELL, check=False).text)
            raise
        return tree

    def put(self, tree: Tree) -> None:
        """Writes the tree's files and has systemd read them."""
        self.running = self.running or {"?": ""}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, file in tree.files.items():
                member = tarfile.TarInfo(path.lstrip("/"))
                member.size, member.mode = len(file.content), file.mode
                # Numbers, or root.
                member.uid, member.gid = (
                    int(one) if one.isdigit() else 0 for one in file.owner.split(":")
                )
                tar.addfile(member, io.BytesIO(file.content))
        self.shell("umask 022; tar -C / -x && systemctl daemon-reload", input=archive.getvalue())

    def clean(self) -> None:
        """Stops and removes all that was put here."""
        self.shell(_CLEAN)
        self.running = {}

    def show(self, unit: str, *properties: str) -> list[str]:
        """Properties of a unit, in the order in which they are asked for."""
        words = " ".join(f"-p {name}" for name in properties)
        lines = self.shell(f"systemctl show {words} {unit}").text.splitlines()
        found = dict(line.split("=", 1) for line in lines)
        return [found[name] for name in properties]

    def read(self, path: str) -> bytes:
        """A file of the node, empty while it is not there."""
        return self.shell(f"cat {path} 2>/dev/null", check=False).stdout

    def within(self, container: str, script: str) -> str:
        """What a shell command in a container prints."""
        return self.shell(f"podman exec {container} sh -c '{script}'").text

    def fetch(self, port: int, path: str = "/") -> str:
        """The page that the node gives to the lab's network; empty while it does not."""
        try:
            connection = HTTPConnection(self.node.address, port, timeout=3)
            connection.sock = self.lab.network.open_socket()
            connection.sock.settimeout(3)
            connection.sock.connect((self.node.address, port))
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read().decode() if answer.status == 200 else ""
        except OSError:
            return ""

    def log(self, unit: str, wanted: str) -> str:
        """The unit's log as soon as `wanted` is in it."""
        command = f"journalctl --sync; journalctl -q --no-pager -o short-precise -u {unit}"
        return wait_until(
            lambda: text if wanted in (text := self.shell(command).text) else "",
            20,
            f"{wanted!r} in the log of {unit}",
        )

    def wait_active(self, *units: str, timeout: float = 20) -> None:
        """Waits until all of these units are active."""
        command = f"systemctl is-active {' '.join(units)}"
        wait_until(
            lambda: set(self.shell(command, check=False).text.split()) == {"active"},
            timeout,
            f"{' and '.join(units)} to be active",
        )


def without_revisions(tree: Tree) -> Tree:
    """The tree with names that a test knows beforehand: nothing is replaced side by side here."""

    def plain(text: str) -> str:
        return _REVISION.sub(r"\1", text)

    units = {
        plain(name): msgspec.structs.replace(
            unit,
            **{
                field: tuple(map(plain, value)) if isinstance(value, tuple) else plain(value)
                for field in ("files", "volumes", "after", "ready")
                for value in [getattr(unit, field)]
            },
        )
        for name, unit in tree.units.items()
    }
    files = {
        plain(path): msgspec.structs.replace(
            file, content=_REVISION_BYTES.sub(rb"\1", file.content)
        )
        for path, file in tree.files.items()
    }
    return msgspec.structs.replace(tree, units=units, files=files)


def with_stop_signal(tree: Tree, signal: str) -> Tree:
    """The tree with containers that are told to stop by another signal than the test image's."""
    for path, file in tree.files.items():
        if path.endswith(".container"):
            text = file.content.decode()
            changed = text.replace("--stop-timeout=", f"--stop-signal={signal} --stop-timeout=")
            tree.files[path] = File(changed.encode(), file.mode, file.owner)
    return tree
