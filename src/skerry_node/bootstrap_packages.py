"""Packages: apt or dnf, whichever the platform's table on the operator's side names."""

from __future__ import annotations

import os
import re
import time

from skerry_node.bootstrap_site import change, fine
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Sequence, Set, Tuple

    from skerry_node.bootstrap_site import Finding, Site

# What Podman with all it needs takes, unpacked, and some room for the downloads, in bytes.
ROOM = 500 * 1000 * 1000
_CONTAINERS = "/etc/containers/containers.conf"
_LISTS = "/var/lib/apt/lists"
_STALE_AFTER = 86400.0
_APT = (
    "apt-get",
    "--assume-yes",
    "--option=DPkg::Lock::Timeout=120",
    "--option=Dpkg::Use-Pty=0",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
)
_APT_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "APT_LISTCHANGES_FRONTEND": "none",
    "NEEDRESTART_SUSPEND": "1",
}


def look_at_packages(site: Site) -> Finding:
    """The step: all packages of the platform are installed."""
    installed = read_installed(site)
    wanted = list(site.settings["packages"])
    runtime = configured_runtime(site)
    if runtime is not None and runtime not in wanted:
        wanted.append(runtime)
    missing = [name for name in wanted if name not in installed]
    extra = [name for name in site.settings.get("optional", []) if name not in installed]
    extra = [name for name in extra if is_available(site, name)]
    if not missing and not extra:
        return fine("all %d are installed" % len(wanted))

    def install() -> str:
        raise_without_room(site)
        install_packages(site, missing + extra)
        new = sorted(read_installed(site) - installed)
        site.remember("packages", new)
        lost = [name for name in missing if name not in new]
        if lost:
            raise NodeFault("packages-missing", "not installed: " + ", ".join(lost))
        return "%s (%d with what they need)" % (", ".join(missing + extra), len(new))

    return change("install " + ", ".join(missing + extra), install)


def configured_runtime(site: Site) -> Optional[str]:
    """The OCI runtime that the node's owner chose in containers.conf(5), None without a choice.

    Podman refuses all work while it is not installed.
    """
    found = None
    folder = _CONTAINERS + ".d"
    names = os.listdir(site.path(folder)) if os.path.isdir(site.path(folder)) else []
    for path in [_CONTAINERS, *(folder + "/" + name for name in sorted(names))]:
        match = re.search(r'^\s*runtime\s*=\s*"(\w+)"', site.read(path) or "", re.MULTILINE)
        found = match.group(1) if match else found
    return found if found in ("crun", "runc") else None


def read_installed(site: Site) -> Set[str]:
    """The names of all installed packages."""
    if site.settings["package_manager"] == "dnf":
        return set(site.run("rpm", "--query", "--all", "--queryformat", "%{NAME}\\n").split())
    text = site.run("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n")
    rows = (line.split() for line in text.splitlines())
    return {row[0] for row in rows if row[1:] == ["installed"]}


def is_available(site: Site, name: str) -> bool:
    """Whether some repository of the node has a package."""
    if site.settings["package_manager"] == "dnf":
        status, text = site.try_run("dnf", "--quiet", "repoquery", name)
    else:
        status, text = site.try_run("apt-cache", "--quiet", "show", name)
    return status == 0 and name in text


def install_packages(site: Site, names: Sequence[str]) -> None:
    """Installs packages without what they merely recommend."""
    if site.settings["package_manager"] == "dnf":
        site.run("dnf", "--assumeyes", "--setopt=install_weak_deps=False", "install", *names)
        return
    has_updated = False
    if wants_update(site):
        site.run(*_APT, "update", **_APT_ENVIRONMENT)
        has_updated = True
    command = (*_APT, "--no-install-recommends", "install", *names)
    status, _ = site.try_run(*command, **_APT_ENVIRONMENT)
    if status != 0:
        # The lists may be too old for the mirror, or an earlier run of dpkg was cut off.
        site.try_run("dpkg", "--configure", "--all", **_APT_ENVIRONMENT)
        if not has_updated:
            site.run(*_APT, "update", **_APT_ENVIRONMENT)
        site.run(*command, **_APT_ENVIRONMENT)


def wants_update(site: Site) -> bool:
    """Whether apt's lists of packages are missing or older than a day."""
    try:
        names = os.listdir(site.path(_LISTS))
    except FileNotFoundError:
        return True
    lists = [name for name in names if re.search(r"_Packages(\.\w+)?$", name)]
    if not lists:
        return True
    newest = max(os.stat(site.path(_LISTS + "/" + name)).st_mtime for name in lists)
    # A mirror's own time is the list's: apt records its visit on the folder.
    newest = max(newest, os.stat(site.path(_LISTS)).st_mtime)
    return time.time() - newest > _STALE_AFTER


def raise_without_room(site: Site) -> None:
    """Raises NodeFault where /var cannot take the packages."""
    status = os.statvfs(site.path("/var"))
    free = status.f_bavail * status.f_frsize
    if free < ROOM:
        raise NodeFault(
            "disk-full",
            "the packages need %d MB in /var, and %d MB are free" % (ROOM // 10**6, free // 10**6),
            hint="make room on the node, and run it again",
        )


def remove_packages(site: Site, names: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Removes those of the packages that nothing else on the node needs, nor this program.

    Returns the removed names and the ones that stay.
    """
    installed = read_installed(site)
    here = [name for name in names if name in installed]
    going = [name for name in here if not re.match(r"(lib)?python3", name)]
    if going and not removed_with(site, going) <= set(going):
        going = [name for name in going if removed_with(site, [name]) <= set(going)]
    if going and not removed_with(site, going) <= set(going):
        going = []
    if going and site.settings["package_manager"] == "dnf":
        site.run("dnf", "--assumeyes", "--setopt=clean_requirements_on_remove=0", "remove", *going)
    elif going:
        # Debian's sudo refuses to go where root has no password; root had a way in before it.
        site.run(*_APT, "purge", *going, SUDO_FORCE_REMOVE="yes", **_APT_ENVIRONMENT)
    return going, [name for name in here if name not in going]


def removed_with(site: Site, names: Sequence[str]) -> Set[str]:
    """The packages that would go if these went."""
    if site.settings["package_manager"] == "dnf":
        status, text = site.try_run("rpm", "--erase", "--test", *names)
        return set(names) if status == 0 else {text}
    _, text = site.try_run(*_APT, "--simulate", "purge", *names, **_APT_ENVIRONMENT)
    return set(re.findall(r"^(?:Purg|Remv) (\S+)", text, re.MULTILINE))
