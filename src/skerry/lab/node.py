"""One node of a lab: a machine under systemd-nspawn that can fail in all ways a rented one can."""

from __future__ import annotations

import os
import signal
import time
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from skerry.edge.run import Command
from skerry.errors import LabError
from skerry.lab.cgroup import (
    end_all,
    inner_pid,
    is_frozen,
    is_populated,
    pass_controllers,
    read_pids,
    remove_tree,
    set_frozen,
    start_in,
    started_at,
)
from skerry.lab.disk import write_identity
from skerry.lab.host import Host
from skerry.lab.machine import machine_command
from skerry.lab.network import Cuts, Network, open_socket, port_of
from skerry.lab.places import Places, held
from skerry.lab.record import LabRecord, NodeRecord, touch_node
from skerry.lab.storage import Storage

BOOT_SECONDS = 60.0
"""How long a node may take from its start, or its reboot, to the banner of its sshd."""

_REBOOT = signal.SIGRTMIN + 5


class State(StrEnum):
    """What a node is at this moment, as the kernel says."""

    RUNNING = "running"
    FROZEN = "frozen"
    DOWN = "down"
    CUT = "cut"


class Ground(msgspec.Struct, frozen=True):
    """What all nodes of a lab stand on."""

    places: Places
    host: Host
    network: Network
    storage: Storage
    cgroup: Path


class Node:
    """One node. Its methods return when what they say is so."""

    def __init__(self, ground: Ground, lab: LabRecord, record: NodeRecord) -> None:
        self.ground = ground
        self.lab = lab
        self.record = record
        self.name = record.name
        self.address = record.address
        self.vendor = record.vendor
        self.cgroup = ground.cgroup / f"node.{record.name}"

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.address}, {self.state()})"

    @property
    def disk(self) -> Path:
        """The node's root file system as seen from this computer."""
        return self.ground.storage.disk(self.name)

    @property
    def console(self) -> Path:
        """What the node printed on its console."""
        return self.ground.places.logs / f"{self.name}.console"

    def state(self, cuts: Cuts | None = None) -> State:
        """What the node is now; `cuts` spares asking the network again."""
        if not is_populated(self.cgroup):
            return State.DOWN
        if is_frozen(self.cgroup):
            return State.FROZEN
        ports = (self.ground.network.cuts() if cuts is None else cuts).ports
        return State.CUT if port_of(self.name) in ports else State.RUNNING

    def cut_from(self) -> list[str]:
        """The names of the single nodes that it is cut off from."""
        pairs = self.ground.network.cuts().pairs
        others = {address for one, address in pairs if one == self.address}
        return [node.name for node in self.lab.nodes.values() if node.address in others]

    def init_pid(self) -> int | None:
        """The process on this computer that is PID 1 in the node, or None while it has none."""
        for pid in read_pids(self.cgroup / "box/payload/init.scope"):
            if inner_pid(pid) == 1:
                return pid
        return None

    def since(self) -> datetime:
        """When the node came into the state it is in; for one that died by itself, its last
        words on the console."""
        moment = self.record.since
        pid = self.init_pid()
        if pid is not None and self.state() is State.RUNNING:
            moment = max(moment, started_at(pid))
        elif pid is None and self.console.exists():
            moment = max(moment, self.console.stat().st_mtime)
        return datetime.fromtimestamp(moment).astimezone()

    # What can be done to it

    def make(self, root: Path) -> None:
        """Gives the node a new disk, a copy of `root` with a host key of its own."""
        ground = self.ground
        ground.storage.make_disk(
            self.name,
            root,
            lambda disk: write_identity(
                disk, places=ground.places, lab=self.lab, node=self.record, host=ground.host
            ),
        )

    def start(self) -> bool:
        """Switches the node on and returns at once; False if it is on. See `wait_ready`.

        Raises `LabError` where it has no disk.
        """
        storage = self.ground.storage
        with self._held():
            if is_populated(self.cgroup):
                return False
            if not storage.has_disk(self.name):
                raise LabError(f"{self.name} has no disk", hint=f"skerry lab new {self.name}")
            storage.attach_disk(self.name)
            remove_tree(self.cgroup)
            (self.cgroup / "box").mkdir(parents=True)
            pass_controllers(self.cgroup)
            command = machine_command(
                self.ground.network,
                self.record,
                box=self.cgroup / "box",
                disk=self.disk,
                binds=storage.binds(self.name),
            )
            start_in(self.cgroup / "loop", command, log=self.console)
            self._touch()
            return True

    def wait_ready(self, timeout: float = BOOT_SECONDS) -> None:
        """Waits until the node's sshd answers. `timeout` is in seconds.

        Raises `LabError` where the node is down, or silent for that long.
        """
        deadline = time.monotonic() + timeout
        # A node that is cut off is asked from its own network.
        is_cut = port_of(self.name) in self.ground.network.cuts().ports
        while not self._answers(is_cut=is_cut):
            if not is_populated(self.cgroup):
                raise LabError(f"{self.name} went down at its start", detail=self._last_words())
            if time.monotonic() > deadline:
                raise LabError(
                    f"{self.name} does not answer SSH after {timeout:g} s",
                    detail=self._last_words(),
                )
            time.sleep(0.02)

    def _answers(self, *, is_cut: bool) -> bool:
        inside = Path(f"/proc/{self.init_pid()}/ns/net")
        try:
            with open_socket(inside if is_cut else self.ground.network.path) as probe:
                probe.settimeout(0.5)
                probe.connect((self.address, 22))
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False

    def kill(self) -> None:
        """The machine vanishes: no shutdown, and no goodbye on its connections."""
        with self._held():
            # First the cable: the kernel, which it shares with us, would close its connections.
            self.ground.network.lift_port(self.name)
            end_all(self.cgroup)
            remove_tree(self.cgroup)
            self.ground.network.remove_port(self.name)
            self._touch()

    def renew(self, root: Path) -> None:
        """Another machine under the same name and address: new disk, new host key; started."""
        self.kill()
        with self._held():
            self.ground.storage.remove_disk(self.name)
            self.make(root)
        self.start()

    def freeze(self) -> None:
        """Stops all its processes where they are. This computer's kernel, which it shares,
        still answers ping and completes TCP handshakes in its name."""
        self._require_on()
        set_frozen(self.cgroup, "1")
        self._touch()

    def thaw(self) -> None:
        """Lets it go on after `freeze`."""
        self._require_on()
        set_frozen(self.cgroup, "0")
        self._touch()

    def reboot(self, timeout: float = BOOT_SECONDS) -> None:
        """An orderly reboot; returns when the new boot answers SSH. `timeout` is in seconds."""
        self._require_on()
        if self.state() is State.FROZEN:
            raise LabError(f"{self.name} is frozen", hint=f"skerry lab thaw {self.name}")
        old = self.init_pid()
        if old is None:
            raise LabError(f"{self.name} is still starting", hint="try again in a second")
        deadline = time.monotonic() + timeout
        os.kill(old, _REBOOT)
        while self.init_pid() in (old, None):
            if time.monotonic() > deadline or not is_populated(self.cgroup):
                raise LabError(f"{self.name} did not reboot", detail=self._last_words())
            time.sleep(0.02)
        self._touch()
        self.wait_ready(max(1.0, deadline - time.monotonic()))

    def cut(self, other: Node | None = None) -> None:
        """Cuts the node off from all, or only from `other`; open connections hear nothing."""
        if other is None:
            self.ground.network.cut_node(self.name)
        else:
            self.ground.network.cut_pair(self.address, other.address)
        self._touch()

    def heal(self, other: Node | None = None) -> None:
        """Undoes `cut`: with `other` for the pair, without it for all cuts of the node."""
        network = self.ground.network
        if other is not None:
            network.heal_pair(self.address, other.address)
        else:
            network.heal_node(self.name)
            for one, another in network.cuts().pairs:
                if one == self.address:
                    network.heal_pair(one, another)
        self._touch()

    def console_command(self, *argv: str) -> Command:
        """The command `argv` as root inside the node, without SSH: as on a vendor's console."""
        self._require_on()
        pid = self.init_pid()
        if pid is None:
            raise LabError(f"{self.name} is still starting", hint="try again in a second")
        into = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        return Command.of(
            "nsenter", f"--target={pid}", *into, *argv,
            PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root",
        )  # fmt: skip

    def _require_on(self) -> None:
        if not is_populated(self.cgroup):
            raise LabError(f"{self.name} is down", hint=f"skerry lab start {self.name}")

    def _held(self) -> AbstractContextManager[None]:
        state = self.ground.places.state
        if not state.is_dir():
            raise LabError(f"the lab {self.ground.places.name!r} is gone", hint="skerry lab up")
        return held(state / "locks" / self.name)

    def _touch(self) -> None:
        self.record = touch_node(self.ground.places, self.name) or self.record

    def _last_words(self) -> str:
        try:
            lines = self.console.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-20:])
