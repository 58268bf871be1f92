"""The system's own settings: state folder, subordinate ids, the journal, Podman."""

from __future__ import annotations

import os
import re
import stat

from skerry_node.basics import STATE_FOLDER
from skerry_node.bootstrap_access import with_lines
from skerry_node.bootstrap_site import change, fine, skipped
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skerry_node.bootstrap_site import Finding, Site

# The range that Podman gives user namespaces from (`UserNS=auto`) belongs to this name, which is
# nobody's account (containers-storage.conf(5), "auto-userns").
SUBORDINATE = "containers:2147483647:2147483648"
SUBORDINATE_FILES = ("/etc/subuid", "/etc/subgid")
JOURNAL = "/etc/systemd/journald.conf.d/50-skerry.conf"
JOURNAL_FOLDER = "/var/log/journal"
JOURNAL_TEXT = """\
# Written by `skerry node add`; removed by `skerry node reset`.
[Journal]
Storage=persistent
SystemMaxUse=200M
"""
CONTAINERS = "/var/lib/containers"
_GENERATORS = "/usr/lib/systemd/system-generators/podman-system-generator"


def look_at_state_folder(site: Site) -> Finding:
    """The step: the state folder is there, for root alone."""
    path = site.path(STATE_FOLDER)
    if not os.path.isdir(path):
        return change("make %s" % STATE_FOLDER, lambda: site.make_folder(STATE_FOLDER, 0o700))
    if stat.S_IMODE(os.stat(path).st_mode) != 0o700:
        return change("close %s to others" % STATE_FOLDER, lambda: os.chmod(path, 0o700))
    return fine(STATE_FOLDER)


def look_at_subordinate_ids(site: Site) -> Finding:
    """The step: each pod can have a user namespace of its own."""
    texts = {path: site.read(path) for path in SUBORDINATE_FILES}
    missing = [path for path, text in texts.items() if not has_subordinate_ids(text or "")]
    if not missing:
        return fine("there is a range for containers")

    def add() -> str:
        for path in missing:
            site.remember("subordinate_ids", [path])
            if texts[path] is None:
                site.remember("files", [path])
            site.write(path, with_lines(texts[path] or "", [SUBORDINATE]), 0o644)
        return "%s in %s" % (SUBORDINATE, ", ".join(missing))

    return change("write %s to %s" % (SUBORDINATE, ", ".join(missing)), add)


def look_at_journal(site: Site) -> Finding:
    """The step: the journal outlives a reboot and has a limit."""
    if site.read(JOURNAL) == JOURNAL_TEXT:
        return fine("kept across reboots, at most 200 MB")

    def write() -> str:
        folder = os.path.dirname(JOURNAL)
        if not os.path.isdir(site.path(folder)):
            site.remember("folders", [folder])
            site.make_folder(folder, 0o755)
        site.remember("files", [JOURNAL])
        if not os.path.isdir(site.path(JOURNAL_FOLDER)):
            site.remember("journal_folder", True)
        site.write(JOURNAL, JOURNAL_TEXT, 0o644)
        site.run("systemctl", "restart", "systemd-journald.service")
        site.try_run("journalctl", "--flush")
        return "kept across reboots, at most 200 MB"

    return change("keep it across reboots, at most 200 MB", write)


def look_at_podman(site: Site) -> Finding:
    """The step: Podman answers, is new enough, and has Quadlet."""
    if not site.has_command("podman"):
        if site.settings["check"]:
            return skipped("looked at once it is installed")
        raise NodeFault("podman-unfit", "there is no podman, though its package is installed")
    if not os.path.isdir(site.path(CONTAINERS)) and not site.settings["check"]:
        site.remember("folders", [CONTAINERS])
    template = "{{.Version.Version}} {{.Host.OCIRuntime.Name}} {{.Store.GraphDriverName}}"
    if site.settings["check"] and not os.path.isdir(site.path(CONTAINERS + "/storage")):
        # The first `podman info` makes its store.
        version, runtime, storage = site.run("podman", "--version").split()[-1], "", ""
    else:
        words = site.run("podman", "info", "--format", template).split()
        version, runtime, storage = (words + ["", "", ""])[:3]
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if number < tuple(site.settings["podman_minimum"]):
        raise NodeFault(
            "podman-unfit",
            "Podman %s is older than %s"
            % (version, ".".join(map(str, site.settings["podman_minimum"]))),
            hint="update the node's packages",
        )
    if not os.path.exists(site.path(_GENERATORS)):
        raise NodeFault("podman-unfit", "Podman %s has no Quadlet: %s" % (version, _GENERATORS))
    return fine(" ".join(word for word in ("Podman", version, runtime, storage) if word))


def look_at_services(site: Site) -> Finding:
    """The step: what came with Podman and would stay in memory without a use is off.

    Debian's netavark starts a proxy for DHCP networks, which has a socket to be started by, and
    a watcher of firewalld, which not every node has.
    """
    units = [unit for unit in site.settings["idle_units"] if is_on(site, unit)]
    if not units:
        return fine("nothing of Podman's stays in memory")

    def stop() -> str:
        site.remember("disabled", units)
        site.run("systemctl", "disable", "--quiet", "--now", *units)
        return "off: " + ", ".join(units)

    return change("turn off " + ", ".join(units), stop)


def is_on(site: Site, unit: str) -> bool:
    """Whether a unit runs or will at the next boot, and nothing wants it that runs."""
    text = site.try_run("systemctl", "show", "--property=ActiveState,UnitFileState,WantedBy", unit)[
        1
    ]
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if found.get("ActiveState") != "active" and found.get("UnitFileState") != "enabled":
        return False
    wanted_by = [one for one in found.get("WantedBy", "").split() if not one.endswith(".target")]
    return not any(
        site.try_run("systemctl", "is-active", "--quiet", one)[0] == 0 for one in wanted_by
    )


def has_subordinate_ids(text: str) -> bool:
    """Whether a subuid(5) file has a range for the name ``containers``."""
    return any(line.startswith("containers:") for line in text.splitlines())
