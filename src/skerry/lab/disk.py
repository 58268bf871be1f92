"""What makes a copy of the root one certain machine: keys, addresses, and this host's needs."""

from __future__ import annotations

from pathlib import Path

from skerry.edge.run import Command, run
from skerry.lab.host import Host
from skerry.lab.network import gateway_of
from skerry.lab.places import Places
from skerry.lab.proxy import PORT
from skerry.lab.record import LabRecord, NodeRecord

MEMINFO = "var/lib/skerry-lab/meminfo"
"""On a node's disk: what its /proc/meminfo says, where that is not this computer's."""
_SYSTEM_MEMORY = 70 * 1000 * 1000
"""What such a node says that its system uses: about what a bare Debian 13 does, in bytes."""


def write_identity(
    root: Path, *, places: Places, lab: LabRecord, node: NodeRecord, host: Host
) -> None:
    """Writes into the fresh disk `root` what distinguishes this node from all others."""
    files = {
        "etc/hostname": f"{node.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {node.name}\n::1 localhost\n",
        # Nobody answers there, and says so at once: a name that cannot be had costs no wait.
        "etc/resolv.conf": f"nameserver {gateway_of(node.vendor)}\noptions attempts:1 timeout:1\n",
        "etc/systemd/network/10-host0.network": _render_network(node),
        "etc/apt/apt.conf.d/01lab-proxy": (
            f'Acquire::http::Proxy "http://{gateway_of(node.vendor)}:{PORT}";\n'
        ),
    }
    if node.memory is not None:
        files[MEMINFO] = render_meminfo(node.memory)
    settings = _render_containers_conf(host)
    if settings:
        files["etc/containers/containers.conf"] = settings
    for name, text in files.items():
        _write(root / name, text)
    _link_to_null(root / "etc/systemd/network/80-container-host0.network")
    _write_access(root, places, lab, node)


def _write_access(root: Path, places: Places, lab: LabRecord, node: NodeRecord) -> None:
    shadow = root / "etc/shadow"
    lines = shadow.read_text().splitlines()
    for number, line in enumerate(lines):
        user, _, *rest = line.split(":")
        if user == "root":
            lines[number] = ":".join([user, lab.password_hash, *rest])
    shadow.write_text("\n".join(lines) + "\n")
    if node.access == "key":
        folder = root / "root/.ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        public = places.ssh_key.with_suffix(".pub").read_text()
        _write(folder / "authorized_keys", public, mode=0o600)
    # Made here and not at first boot: the node answers earlier, and it is as new.
    key = root / "etc/ssh/ssh_host_ed25519_key"
    argv = ("-q", "-t", "ed25519", "-N", "", "-C", f"root@{node.name}", "-f", str(key))
    run(Command.of("ssh-keygen", *argv))


def render_meminfo(memory: int) -> str:
    """``/proc/meminfo`` of a node with so much memory (proc(5)); it does not change with use."""
    # Rounded up to whole kB, so that no more than that is missing.
    available = -(-max(0, memory - _SYSTEM_MEMORY) // 1024) * 1024
    sizes = {
        "MemTotal": memory,
        "MemFree": available,
        "MemAvailable": available,
        "Buffers": 0,
        "Cached": 0,
        "SwapCached": 0,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{name + ':':<16}{size // 1024:>8} kB\n" for name, size in sizes.items())


def _render_containers_conf(host: Host) -> str:
    """What Podman needs on this computer; empty where its defaults do."""
    lines = []
    if not host.has_pids_controller:
        # Podman limits the number of processes by default.
        lines.append("pids_limit=0")
    if not host.may_raise_limits:
        # Its builds ask for more open files than may be had.
        limits = [
            f'"{name}={soft}:{hard}"'
            for name, (soft, hard) in (("nofile", host.open_files), ("nproc", host.processes))
        ]
        lines.append(f"default_ulimits=[{', '.join(limits)}]")
    if not lines:
        return ""
    return "\n".join(["# For this computer, by skerry lab.", "[containers]", *lines, ""])


def _render_network(node: NodeRecord) -> str:
    return (
        "[Match]\nName=host0\n\n"
        "[Network]\n"
        f"Address={node.address}/24\n"
        f"Gateway={gateway_of(node.vendor)}\n"
        "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
    )


def _write(place: Path, text: str, *, mode: int = 0o644) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # Never through a link: it would lead into this computer's own files.
    place.unlink(missing_ok=True)
    place.write_text(text)
    place.chmod(mode)


def _link_to_null(place: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to("/dev/null")
