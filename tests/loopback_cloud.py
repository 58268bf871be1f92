"""A cloud folder on simulated nodes, all of which hold and run what it says."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.cloud import place_pods, write_pods
from bench.fleet_run import IMAGE, IMAGE_ID, observed
from bench.measure import Run, measure

from skerry.cli.cloud import OpenCloud
from skerry.compile.lock import Lock, ResolvedImage
from skerry.edge.run import Command, start
from skerry.load.cloud import load_cloud
from skerry.load.lockfile import write_lock
from skerry_node import wire
from tests.loopback_nodes import DeadPorts, LoopbackNodes

PODS = 10
DEAD = ("silent", "silent", "silent", "swallowed", "swallowed", "swallowed",
        "refused", "refused", "other-key", "hung")  # fmt: skip
"""Ways of being dead; what is ``hung`` or has an ``other-key`` has a real sshd."""


class LoopbackCloud:
    """A folder with a node for each name of `ports`; ten pods on each.

    The nodes in `other_keys` have a key pinned that is not theirs.
    """

    def __init__(
        self,
        folder: Path,
        nodes: LoopbackNodes,
        ports: Mapping[str, int],
        *,
        other_keys: frozenset[str] = frozenset(),
    ) -> None:
        self.folder = folder / "cloud"
        self.folder.mkdir(parents=True)
        self._sockets = _socket_folder()
        self.ports = ports
        self._identity = nodes.identity
        entries = "".join(
            f"  {name}: {{ssh: root@127.0.0.1, port: {port}, identity-file: {nodes.identity}}}\n"
            for name, port in ports.items()
        )
        text = place_pods(f"name: loopback\nnodes:\n{entries}\nrun: {{}}\n", pods=PODS)
        (self.folder / "cloud.yaml").write_text(text)
        write_pods(self.folder, pods=PODS, image=IMAGE)
        keys = nodes.host_keys
        other = (nodes.root / "keys/operator.pub").read_text().rsplit(" ", 1)[0]
        lines = [
            f"{name} {other if name in other_keys else keys.get(port, other)}\n"
            for name, port in ports.items()
        ]
        (self.folder / "known_hosts").write_text("".join(lines))
        write_lock(self.folder, Lock(images={IMAGE: ResolvedImage(id=IMAGE_ID, size=0)}))
        self._write_answers(nodes)

    def _write_answers(self, nodes: LoopbackNodes) -> None:
        lock = Lock(images={IMAGE: ResolvedImage(id=IMAGE_ID, size=0)})
        for name, tree in OpenCloud(self.folder, load_cloud(self.folder), lock).trees.items():
            if self.ports[name] in nodes.host_keys:
                manifest = tree.manifest()
                event = {"event": "result", "result": observed(manifest, manifest)}
                nodes.answer(self.ports[name], wire.dump(event))

    def command(self, *words: str) -> Command:
        """`skerry` in the folder, with connections of its own."""
        store = self.folder.parent / "storage.conf"
        store.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{store.parent}/graph"\n'
            f'runroot = "{store.parent}/runroot"\n'
        )
        return Command(
            (str(Path(sys.executable).parent / "skerry"), *words),
            env=(
                ("NO_COLOR", "1"),
                ("XDG_RUNTIME_DIR", self._sockets.name),
                # Whoever builds an image on this machine would have Podman asked again.
                ("CONTAINERS_STORAGE_CONF", str(store)),
            ),
            cwd=str(self.folder),
        )

    def ssh(self, name: str, remote: str) -> Command:
        """`ssh` itself, over a connection of its own that stands."""
        return Command((*self._ssh(), *self._node(name), remote))

    def ssh_to_all(self, remote: str, *, at_once: int) -> Command:
        """`ssh` itself to each of the nodes, so many at a time."""
        lines = "".join(f"{' '.join(self._node(name))} {remote}\n" for name in self.ports)
        (self.folder / "nodes").write_text(lines)
        words = ("xargs", "-a", str(self.folder / "nodes"), "-L1", f"-P{at_once}")
        return Command((*words, *self._ssh()))

    def _ssh(self) -> list[str]:
        options = [
            f"UserKnownHostsFile={self.folder}/known_hosts",
            "ControlMaster=auto",
            f"ControlPath={self._sockets.name}/%k",
            "ControlPersist=600",
        ]
        return ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)),
                "-i", str(self._identity)]  # fmt: skip

    def _node(self, name: str) -> list[str]:
        return ["-o", f"HostKeyAlias={name}", "-p", str(self.ports[name]), "root@127.0.0.1"]

    def run(self, *words: str, expect: int | None = 0) -> Run:
        """Runs `skerry` to its end, measured."""
        return measure(self.command(*words), expect=expect)

    def forget_connections(self) -> None:
        """Ends those that stand: the next command opens them anew."""
        found = [path for path in Path(self._sockets.name).rglob("*") if path.is_socket()]
        words = ("ssh", "-F", "none", "-q", "-O", "exit")
        ending = [start(Command((*words, "-o", f"ControlPath={path}", "node"))) for path in found]
        for process in ending:
            process.wait()
        self._sockets = _socket_folder()


def _socket_folder() -> tempfile.TemporaryDirectory[str]:
    # Not in a folder of the test's: the path of a socket has at most 107 bytes.
    return tempfile.TemporaryDirectory(prefix="sk-")


def with_dead(folder: Path, nodes: LoopbackNodes, dead: DeadPorts, *, count: int) -> LoopbackCloud:
    """A cloud of so many nodes, one for each of `DEAD` among them; the last port of all hangs."""
    ports = nodes.named(count)
    names = list(ports)[:: count // len(DEAD)]
    for name, how in zip(names, DEAD, strict=True):
        if how == "hung":
            ports[name] = nodes.ports[-1]
        elif how != "other-key":
            ports[name] = getattr(dead, how)
    others = frozenset(name for name, how in zip(names, DEAD, strict=True) if how == "other-key")
    return LoopbackCloud(folder, nodes, ports, other_keys=others)
