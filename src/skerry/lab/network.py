"""The lab's network: one namespace that is the router, one bridge per vendor in it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import LabError
from skerry.lab.places import Places, has_namespace

VENDORS = ("north", "east", "west")
CLONE_NEWNET = 0x40000000

# Frames are dropped where they enter or leave a bridge port: a node that is cut off keeps its
# carrier, as a rented host does when its vendor's network fails.
_RULES = """
add table bridge skerry
add set bridge skerry cut { type ifname; }
add set bridge skerry apart { type ipv4_addr . ipv4_addr; }
add chain bridge skerry arriving { type filter hook prerouting priority -300; }
add chain bridge skerry leaving { type filter hook postrouting priority 300; }
add rule bridge skerry arriving iifname @cut drop
add rule bridge skerry arriving ip saddr . ip daddr @apart drop
add rule bridge skerry leaving oifname @cut drop
"""


def bridge_of(vendor: str) -> str:
    """The name of the vendor's bridge."""
    return f"br-{vendor}"


def gateway_of(vendor: str) -> str:
    """The router's address in the vendor's subnet (a /24)."""
    return f"198.18.{VENDORS.index(vendor) + 1}.1"


def port_of(node: str) -> str:
    """The bridge port that systemd-nspawn makes for the machine `node`."""
    return f"vb-{node}"


class Cuts(msgspec.Struct, frozen=True):
    """Which nodes and which pairs are cut off at this moment."""

    ports: frozenset[str] = frozenset()
    pairs: frozenset[tuple[str, str]] = frozenset()
    """Pairs of addresses, in both orders."""


class Network:
    """The network namespace of one lab."""

    def __init__(self, places: Places) -> None:
        self.key = places.key
        self.name = places.namespace
        self.path = places.namespace_path

    def inside(self, *argv: str) -> Command:
        """The command `argv` in the lab's network.

        By nsenter: `ip netns exec` would mount another /sys and hide the cgroups.
        """
        return Command.of("nsenter", f"--net={self.path}", *argv)

    def is_there(self) -> bool:
        """Whether the namespace exists and is one (a reboot leaves nothing)."""
        return has_namespace(self.key)

    def make(self) -> bool:
        """Makes namespace, bridges and router; False if all of it was there already."""
        if self.is_there():
            probe = run(self.inside("nft", "list", "table", "bridge", "skerry"), check=False)
            if probe.status == 0:
                return False
            self.remove()
        self.path.unlink(missing_ok=True)
        run(Command.of("ip", "netns", "add", self.name))
        lines = ["link set lo up"]
        for vendor in VENDORS:
            bridge = bridge_of(vendor)
            lines += [
                f"link add {bridge} type bridge",
                f"address add {gateway_of(vendor)}/24 dev {bridge}",
                f"link set {bridge} up",
            ]
        run(Command.of("ip", "-n", self.name, "-batch", "-"), input="\n".join(lines).encode())
        # Short ARP pauses: else whoever polls a booting node waits seconds between two looks.
        neighbours = [f"net.ipv4.neigh.{bridge_of(v)}.retrans_time_ms=100" for v in VENDORS]
        run(self.inside("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", *neighbours))
        run(self.inside("sysctl", "-q", "-e", "-w", "net.bridge.bridge-nf-call-iptables=0"))
        run(self.inside("nft", "-f", "-"), input=_RULES.encode())
        return True

    def remove(self) -> None:
        """Ends every process that stands in the namespace and removes it."""
        if self.is_there():
            self._end_processes()
            run(Command.of("ip", "netns", "delete", self.name))
        self.path.unlink(missing_ok=True)

    def _end_processes(self) -> None:
        # `lab exec` and the ssh connections of operators stand in the namespace but not in the
        # lab's cgroup; a namespace lives as long as the last process in it.
        mine = self.path.stat()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                found = (entry / "ns" / "net").stat()
            except OSError:
                continue
            if (found.st_ino, found.st_dev) == (mine.st_ino, mine.st_dev):
                try:
                    os.kill(int(entry.name), signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def lift_port(self, node: str) -> None:
        """Takes the node's port away from its bridge: nothing passes from this moment on."""
        run(Command.of("ip", "-n", self.name, "link", "set", port_of(node), "down"), check=False)

    def remove_port(self, node: str) -> None:
        """Removes what a machine that is gone left of its link."""
        if self.is_there():
            run(Command.of("ip", "-n", self.name, "link", "delete", port_of(node)), check=False)

    def cut_node(self, node: str) -> None:
        """Drops all frames from and to the node."""
        self._nft(f"add element bridge skerry cut {{ {port_of(node)} }}")

    def heal_node(self, node: str) -> None:
        """Lets the frames of the node pass again; nothing happens if they do."""
        if port_of(node) in self.cuts().ports:
            self._nft(f"delete element bridge skerry cut {{ {port_of(node)} }}")

    def cut_pair(self, one: str, other: str) -> None:
        """Drops what the two addresses send each other."""
        self._nft(f"add element bridge skerry apart {{ {one} . {other}, {other} . {one} }}")

    def heal_pair(self, one: str, other: str) -> None:
        """Lets the two addresses reach each other again; nothing happens if they do."""
        if (one, other) in self.cuts().pairs:
            self._nft(f"delete element bridge skerry apart {{ {one} . {other}, {other} . {one} }}")

    def cuts(self) -> Cuts:
        """What is cut off now, as the kernel says; nothing where there is no namespace."""
        if not self.is_there():
            return Cuts()
        listing = run(self.inside("nft", "-j", "list", "table", "bridge", "skerry"), check=False)
        if listing.status != 0:
            return Cuts()
        sets = {
            entry["set"]["name"]: entry["set"].get("elem", [])
            for entry in json.loads(listing.stdout)["nftables"]
            if "set" in entry
        }
        pairs = frozenset((a, b) for a, b in (entry["concat"] for entry in sets["apart"]))
        return Cuts(frozenset(sets["cut"]), pairs)

    def _nft(self, line: str) -> None:
        run(self.inside("nft", line))

    def open_socket(self) -> socket.socket:
        """An unconnected TCP socket in the lab's network, usable from any thread of ours.

        Raises `LabError` where the namespace is gone.
        """
        if not self.is_there():
            raise LabError("the lab has no network: it is not up", hint="skerry lab up")
        return open_socket(self.path)


def open_socket(namespace: Path) -> socket.socket:
    """An unconnected TCP socket in the network namespace held by the file `namespace`.

    Raises `OSError` where the file is gone or is no namespace.
    """
    # A socket belongs for good to the network namespace of the thread that made it. The thread
    # ends here: one that lived on would keep the namespace.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(_open_socket_here, namespace).result()


def _open_socket_here(namespace: Path) -> socket.socket:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    finally:
        os.close(descriptor)
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
