"""How a node's machine is run: systemd-nspawn, and the loop that starts it again at a reboot."""

from __future__ import annotations

from pathlib import Path

from skerry.edge.run import Command
from skerry.lab.network import Network, bridge_of, port_of
from skerry.lab.record import NodeRecord

# $1 is the cgroup for the machine, $2 its disk, $3 its bridge port; the rest starts it.
# - A mount namespace keeps every mount that stood when it was made: other loop devices than our
#   disk's are let go, else they could not be removed before this machine is.
# - The folder that machines share is private: a lab's machines are not those of this computer.
# - The loop stays outside of the machine's cgroup: a group with processes of its own cannot give
#   controllers to groups inside it.
# - Connections that nobody answers keep the network namespace of a machine that is gone for a
#   minute, and that keeps its port: the next start would find the name taken.
# - 133 is systemd-nspawn's word for "the machine wants to be rebooted".
_KEEP_RUNNING = """
box=$1 disk=$2 port=$3; shift 3
while read -r device mount rest; do
    mount=$(printf %b "$mount")
    case $device in /dev/loop*)
        case $disk in "${mount%/}"/*) ;; *) umount -l "$mount" ;; esac ;;
    esac
done </proc/mounts
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
while :; do
    find "$box" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
    ip link delete "$port" 2>/dev/null
    (echo 0 >"$box/cgroup.procs" && exec "$@")
    status=$?
    [ $status -eq 133 ] || { echo "the machine ended, status $status"; exit; }
done
"""

# The machine's first process. systemd-nspawn builds /sys out of binds, and the kernel lets no
# user namespace (podman's UserNS=auto) replace those by a sysfs of its own: a plain /sys before
# systemd is there, for it would miss its cgroups. Read-only, as it was: else udev would start
# and act on the devices of this computer.
#
# Where the node shall report another memory than this computer's, a file lies over /proc/meminfo.
# With anything over a part of it, the kernel lets no user namespace mount a /proc either, unless
# a whole one is to be seen somewhere: that is the second one.
_INIT = """
fake=/var/lib/skerry-lab
[ ! -e $fake/meminfo ] || {
    mkdir -p $fake/proc && mount -t proc proc $fake/proc &&
    mount --bind $fake/meminfo /proc/meminfo
} || exit
umount -l /sys/fs/cgroup && umount -R -l /sys &&
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs /sys &&
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup &&
exec /usr/lib/systemd/systemd
"""

_DEVICES = ("/dev/net/tun", "/dev/fuse")


def machine_command(
    network: Network, node: NodeRecord, *, box: Path, disk: Path, binds: list[str]
) -> Command:
    """The command that runs the node's machine, over its reboots, until it ends.

    `box` is the cgroup that the machine shall live in; `binds` are further arguments of
    systemd-nspawn.
    """
    devices = [f"--bind={device}" for device in _DEVICES if Path(device).exists()]
    nspawn = (
        "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
        "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
        f"--machine={node.name}", f"--directory={disk}",
        f"--network-bridge={bridge_of(node.vendor)}",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no",
        "--capability=all", "--system-call-filter=@keyring", "--system-call-filter=bpf",
        "--console=pipe", *devices, *binds,
        "/bin/sh", "-c", _INIT,
    )  # fmt: skip
    loop = ("unshare", "--mount", "--propagation=slave", "sh", "-c", _KEEP_RUNNING, "sh")
    return network.inside(*loop, str(box), str(disk), port_of(node.name), *nspawn)
