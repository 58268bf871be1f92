"""A lab: a cloud of several nodes on this machine, for trying things out and for tests."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from skerry.edge.run import Command
from skerry.errors import LabError
from skerry.lab.access import make_key, make_password, render_known_hosts, render_ssh_config
from skerry.lab.cgroup import find_lab_cgroup, make_lab_cgroup, remove_lab_cgroup
from skerry.lab.host import (
    Host,
    inspect_host,
    raise_watch_limit,
    require_lab_host,
    require_root,
)
from skerry.lab.network import Network
from skerry.lab.node import Ground, Node
from skerry.lab.overlay import Overlays
from skerry.lab.places import Places, held, state_home
from skerry.lab.pool import Pool
from skerry.lab.proxy import start_proxy
from skerry.lab.record import (
    MOST_NODES,
    LabRecord,
    NodeRecord,
    name_of,
    order_node,
    read_record,
    write_record,
)
from skerry.lab.root import mirror_hosts
from skerry.lab.storage import Storage

DEFAULT_NODES = 3


def _silent(_: str) -> None:
    pass


class Lab:
    """One lab by name, up or not.

    `say` receives one line for each thing worth knowing while it happens.
    """

    def __init__(self, places: Places, host: Host, say: Callable[[str], None]) -> None:
        self.places = places
        self.host = host
        self.say = say
        self.network = Network(places)
        self.storage: Storage = Pool(places) if host.has_btrfs else Overlays(places)

    @classmethod
    def open(cls, name: str = "default", say: Callable[[str], None] = _silent) -> Lab:
        """The lab `name`; nothing is made or changed. Raises `LabError` unless we are root."""
        require_root()
        return cls(Places.of(name), inspect_host(), say)

    @staticmethod
    def names() -> list[str]:
        """The labs that have a state folder, up or left behind."""
        return sorted(path.parent.name for path in state_home().glob("*/lab.json"))

    @property
    def name(self) -> str:
        return self.places.name

    @property
    def ssh_config(self) -> Path:
        """For ``ssh -F``: the nodes by name and by address."""
        return self.places.ssh_config

    @property
    def ssh_key(self) -> Path:
        """The private key that root of the nodes accepts."""
        return self.places.ssh_key

    @property
    def password(self) -> str:
        """The root password of all nodes, as from an activation e-mail."""
        return self.record.password

    @property
    def record(self) -> LabRecord:
        """What is written down about the lab. Raises `LabError` where it is not up."""
        record = read_record(self.places)
        if record is None:
            option = "" if self.name == "default" else f"--name {self.name} "
            raise LabError(f"there is no lab {self.name!r}", hint=f"skerry lab {option}up")
        return record

    @property
    def nodes(self) -> list[Node]:
        """The nodes in the order of their making."""
        record = self.record
        cgroup = find_lab_cgroup(self.host, self.places.key)
        # A lab that lost its cgroup has none of its nodes on; it is looked at all the same.
        ground = self._ground(cgroup or self.host.cgroups / f"skerry-lab-{self.places.key}")
        return [Node(ground, record, node) for node in record.nodes.values()]

    def node(self, name: str) -> Node:
        """The node `name`. Raises `LabError`, with the nearest name, where there is none."""
        nodes = {node.name: node for node in self.nodes}
        if name not in nodes:
            near = get_close_matches(name, nodes, 1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"the nodes are {', '.join(nodes)}"
            raise LabError(f"the lab {self.name!r} has no node {name!r}", hint=hint)
        return nodes[name]

    def inside(self, *argv: str) -> Command:
        """The command `argv` in the lab's network, on this computer's file system."""
        if not self.network.is_there():
            raise LabError(f"the lab {self.name!r} is not up", hint="skerry lab up")
        return self.network.inside(*argv)

    def _ground(self, cgroup: Path) -> Ground:
        return Ground(self.places, self.host, self.network, self.storage, cgroup)

    # Up and down

    def up(
        self,
        *,
        nodes: int | None = None,
        with_podman: bool = False,
        password_only: Iterable[str] = (),
        memory: int | None = None,
    ) -> list[str]:
        """Makes and starts what is missing; returns the nodes it started, all answering SSH.

        `nodes` is how many there shall be at least (3 at first, then as many as there are);
        `with_podman`, `password_only` (names) and `memory` (what they report, in bytes) are for
        the nodes that are made now.
        Raises `LabError` where this machine cannot have a lab or a node does not come up.
        """
        require_lab_host()
        image: Literal["plain", "warm"] = "warm" if with_podman else "plain"
        with held(self.places.lock):
            old = read_record(self.places)
            record = self._order(old, nodes, image, frozenset(password_only), memory)
            self._open_ground(is_new=old is None)
            self._write(record)
            roots = self.storage.roots(self.say)
            images = sorted({node.image for node in record.nodes.values()})
            root_of = {image: roots.ensure(image) for image in images}
            cgroup = make_lab_cgroup(self.host, self.places.key)
            start_proxy(self.places, self.network, cgroup, mirror_hosts(root_of[images[0]]))
            ground = self._ground(cgroup)
            found = [Node(ground, record, node) for node in record.nodes.values()]
            try:
                with ThreadPoolExecutor(len(found)) as executor:
                    started = list(executor.map(lambda node: self._ensure(node, root_of), found))
            finally:
                self._write_known_hosts(found)
        return [node.name for node, is_started in zip(found, started, strict=True) if is_started]

    def _open_ground(self, *, is_new: bool) -> None:
        """The network and the storage; for a new lab, rid of what an old one left there."""
        if is_new:
            remove_lab_cgroup(self.host, self.places.key)
            self.network.remove()
        limit = raise_watch_limit()
        if limit is not None:
            self.say(f"fs.inotify.max_user_instances of this computer raised to {limit}")
        # The network first: by it other labs know that the storage is in use.
        if self.network.make():
            self.say("network made: a router, and a subnet for each of three vendors")
        self.storage.open()
        if is_new:
            for name in self.storage.disks():
                self.storage.remove_disk(name)

    def _order(
        self,
        record: LabRecord | None,
        count: int | None,
        image: Literal["plain", "warm"],
        password_only: frozenset[str],
        memory: int | None,
    ) -> LabRecord:
        """What there shall be: `record` with the nodes that it lacks."""
        if record is None:
            password, hashed = make_password()
            record = LabRecord(self.name, self.places.key, time.time(), password, hashed)
        had = len(record.nodes)
        wanted = count if count is not None else had or DEFAULT_NODES
        if not 1 <= wanted <= MOST_NODES:
            raise LabError(f"a lab has 1 to {MOST_NODES} nodes, not {wanted}")
        new = {name_of(number) for number in range(had, wanted)}
        strange = sorted(password_only - new)
        if strange:
            raise LabError(
                f"{', '.join(strange)}: only a node that is made now can be password-only",
                hint=f"new here: {', '.join(sorted(new)) or 'none'}; or take the lab down first",
            )
        if image == "warm" and any(node.image != image for node in record.nodes.values()):
            self.say("nodes that are there already stay without Podman: only new ones have it")
        for number in range(had, wanted):
            access: Literal["key", "password"] = (
                "password" if name_of(number) in password_only else "key"
            )
            node = order_node(number, image=image, access=access, memory=memory)
            record.nodes[node.name] = node
        return record

    def _write(self, record: LabRecord) -> None:
        """Writes down what there shall be, before any of it is made."""
        for folder in (self.places.state, self.places.logs):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_key(self.places)
        write_record(self.places, record)
        self.places.ssh_config.write_text(render_ssh_config(self.places, record.nodes.values()))

    def _ensure(self, node: Node, root_of: Mapping[Literal["plain", "warm"], Path]) -> bool:
        if not self.storage.has_disk(node.name):
            node.make(root_of[node.record.image])
        is_started = node.start()
        if is_started:
            node.wait_ready()
        return is_started

    def renew(self, name: str) -> Node:
        """Replaces the node by an empty machine of the same name; returns when it answers."""
        node = self.node(name)
        with held(self.places.lock):
            root = self.storage.roots(self.say).ensure(node.record.image)
            node.renew(root)
            node.wait_ready()
            self._write_known_hosts(self.nodes)
        return node

    def down(self) -> bool:
        """Removes all of the lab, in whatever state it is; False if there was nothing.

        Works without records too: what is left of a lab that was killed is found by its name.
        """
        with held(self.places.lock):
            cgroup = find_lab_cgroup(self.host, self.places.key)
            was_there = self.places.state.exists() or cgroup is not None or self.network.is_there()
            remove_lab_cgroup(self.host, self.places.key)
            self.network.remove()
            self.storage.close()
            if self.places.state.exists():
                shutil.rmtree(self.places.state)
            self.places.lock.unlink()
        return was_there

    def _write_known_hosts(self, nodes: Iterable[Node]) -> None:
        keys: list[tuple[NodeRecord, str]] = []
        for node in nodes:
            public = node.disk / "etc/ssh/ssh_host_ed25519_key.pub"
            if public.exists():
                keys.append((node.record, public.read_text()))
        self.places.known_hosts.write_text(render_known_hosts(keys))
