"""Swap where memory is short: compressed in memory (zram), else a file, else none, and why."""

from __future__ import annotations

import os

from skerry_node.basics import STATE_FOLDER
from skerry_node.bootstrap_packages import install_packages, is_available, read_installed
from skerry_node.bootstrap_site import change, fine, skipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skerry_node.bootstrap_site import Finding, Site

ZRAM = "/etc/systemd/zram-generator.conf.d/50-skerry.conf"
ZRAM_TEXT = """\
# Written by `skerry node add`; removed by `skerry node reset`.
[zram0]
zram-size = ram
compression-algorithm = zstd
"""
SWAP_FILE = STATE_FOLDER + "/swapfile"
SWAP_UNIT = "/etc/systemd/system/var-lib-skerry-swapfile.swap"
SWAP_UNIT_TEXT = (
    """\
# Written by `skerry node add`; removed by `skerry node reset`.
[Unit]
Description=Swap for a node with little memory
[Swap]
What=%s
[Install]
WantedBy=swap.target
"""
    % SWAP_FILE
)
SWAP_SIZE = 1 << 30
# What must stay free beside the swap file, in bytes.
_ROOM = 2 * SWAP_SIZE


def look_at_swap(site: Site) -> Finding:
    """The step: a node with little memory has swap."""
    memory = read_memory(site)
    shown = "%d MB of memory" % (memory // 10**6)
    if memory >= site.settings["low_memory"]:
        return fine("%s: no swap needed" % shown)
    if has_swap(site.read("/proc/swaps") or ""):
        return fine("%s, and there is swap" % shown)
    if site.try_run("systemd-detect-virt", "--container", "--quiet")[0] == 0:
        return skipped("not possible here: %s, but a container has no swap of its own" % shown)
    if has_zram(site):
        return change("%s: compress what is not in use (zram)" % shown, lambda: start_zram(site))
    status = os.statvfs(site.path("/var"))
    free = status.f_bavail * status.f_frsize
    if free < SWAP_SIZE + _ROOM:
        return skipped(
            "not possible here: %s, no zram in the kernel, and %d MB free in /var are too few for "
            "a swap file" % (shown, free // 10**6)
        )
    return change("%s: a swap file of 1 GB" % shown, lambda: start_swap_file(site))


def has_zram(site: Site) -> bool:
    """Whether the kernel has zram and the package that sets it up is to be had."""
    package = site.settings.get("zram_package")
    if not package:
        return False
    in_kernel = os.path.exists(site.path("/sys/class/zram-control"))
    if not in_kernel and site.try_run("modprobe", "--dry-run", "zram")[0] != 0:
        return False
    return package in read_installed(site) or is_available(site, package)


def start_zram(site: Site) -> str:
    """Sets compressed swap up, and falls back on a file where the kernel refuses it."""
    before = read_installed(site)
    if site.settings["zram_package"] not in before:
        install_packages(site, [site.settings["zram_package"]])
        site.remember("packages", sorted(read_installed(site) - before))
    folder = os.path.dirname(ZRAM)
    if not os.path.isdir(site.path(folder)):
        site.remember("folders", [folder])
        site.make_folder(folder, 0o755)
    site.remember("files", [ZRAM])
    site.remember("swap", "zram")
    site.write(ZRAM, ZRAM_TEXT, 0o644)
    site.run("systemctl", "daemon-reload")
    status, _ = site.try_run("systemctl", "start", "systemd-zram-setup@zram0.service")
    if status == 0 and site.try_run("systemctl", "start", "dev-zram0.swap")[0] == 0:
        return "compressed swap on /dev/zram0"
    os.unlink(site.path(ZRAM))
    site.try_run("systemctl", "daemon-reload")
    return start_swap_file(site)


def start_swap_file(site: Site) -> str:
    """Makes the swap file and the unit that turns it on at every boot."""
    path = site.path(SWAP_FILE)
    site.remember("swap", "file")
    site.remember("files", [SWAP_UNIT])
    if os.path.exists(path):
        os.unlink(path)
    kind = site.try_run("stat", "--file-system", "--format=%T", site.path(STATE_FOLDER))[1].strip()
    if kind == "btrfs":
        # Neither copied on write nor compressed, or the kernel refuses it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        site.run("chattr", "+C", path)
    site.run("fallocate", "--length", str(SWAP_SIZE), path)
    os.chmod(path, 0o600)
    site.run("mkswap", "--quiet", path)
    site.write(SWAP_UNIT, SWAP_UNIT_TEXT, 0o644)
    site.run("systemctl", "daemon-reload")
    site.run("systemctl", "enable", "--now", os.path.basename(SWAP_UNIT))
    return "a swap file of 1 GB, %s" % SWAP_FILE


def stop_swap(site: Site) -> None:
    """Turns off and removes what `start_zram` or `start_swap_file` made."""
    kind = site.record.get("swap")
    if kind == "zram":
        site.try_run("systemctl", "stop", "dev-zram0.swap")
        site.try_run("systemctl", "stop", "systemd-zram-setup@zram0.service")
    if kind == "file":
        site.try_run("systemctl", "disable", "--now", os.path.basename(SWAP_UNIT))
        if os.path.exists(site.path(SWAP_FILE)):
            os.unlink(site.path(SWAP_FILE))


def read_memory(site: Site) -> int:
    """The machine's memory in bytes (proc_meminfo(5))."""
    for line in (site.read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def has_swap(swaps: str) -> bool:
    """Whether a ``/proc/swaps`` names any swap."""
    return len(swaps.splitlines()) > 1
