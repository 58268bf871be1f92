"""The op ``reset``: takes away all that Skerry put on the node, and nothing else.

The deploy user that the request comes through, and the state folder that this program runs from,
go last (`reset_finish`).
"""

from __future__ import annotations

import os
import re
import shutil

from skerry_node.basics import STATE_FOLDER
from skerry_node.bootstrap import run_steps
from skerry_node.bootstrap_access import SUDOERS, without_lines
from skerry_node.bootstrap_packages import remove_packages
from skerry_node.bootstrap_site import Site, change, fine
from skerry_node.bootstrap_swap import stop_swap
from skerry_node.bootstrap_system import CONTAINERS, JOURNAL, SUBORDINATE
from skerry_node.host import Host
from skerry_node.images import our_images, remove_image
from skerry_node.lock import hold_lock
from skerry_node.reset_finish import UNIT, remove_if_empty, start_finish
from skerry_node.secrets import list_secrets, remove_secrets
from skerry_node.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Set

    from skerry_node.bootstrap_site import Finding
    from skerry_node.wire import Manifest


def run_reset(args: Dict[str, Any], streams: Any, emit: Callable[..., None]) -> Dict[str, Any]:
    """Removes everything, with the lock that ``token`` holds; or, with ``check``, says what.

    ``user``, ``package_manager`` and ``packages`` (whether the packages go that bootstrap
    installed) are the settings. The result has ``steps``, ``left`` (what stays, in words) and
    ``user_removed`` (whether the deploy user is about to go).
    """
    if not args["check"]:
        hold_lock(Host(), args["token"])
    site = Site(args)
    left = _what_stays(site, args)
    user = site.record.get("user")
    result = run_steps(STEPS, args, emit)
    last = {"step": "the rest", "seconds": 0.0, "detail": ", ".join(_the_rest(site))}
    emit(dict(last, event="step", state="would-change" if args["check"] else "changed"))
    result["left"] = left
    result["user_removed"] = user is not None
    if not args["check"]:
        start_finish(site, args["user"] if user else "")
    return result


def look_at_units(site: Site) -> Finding:
    """Units of the active generation, and whatever else is loaded under Skerry's name."""
    units = set(current_manifest()["units"]) | loaded_units(site)
    if not units:
        return fine("none")

    def stop() -> str:
        names = sorted(units)
        site.try_run("systemctl", "stop", *names)
        site.try_run("systemctl", "reset-failed", *names)
        return "stopped " + ", ".join(names)

    return change("stop " + ", ".join(sorted(units)), stop)


def look_at_files(site: Site) -> Finding:
    """The files of the active generation, with the folders that are empty without them."""
    paths = [path for path in current_manifest()["files"] if _is_there(site, path)]
    if not paths:
        return fine("none")

    def remove() -> str:
        for path in paths:
            os.unlink(site.path(path))
        for folder in made_folders():
            remove_if_empty(site, folder)
        site.run("systemctl", "daemon-reload")
        return "%d removed" % len(paths)

    return change("remove " + ", ".join(sorted(paths)), remove)


def look_at_containers(site: Site) -> Finding:
    """Containers, pods, volumes, images and secrets that are Skerry's by name or record."""
    if not site.has_command("podman") or not os.path.isdir(site.path(CONTAINERS + "/storage")):
        return fine("none")
    pods = _podman_names(site, "pod", "ps", "--format", "{{.Name}}")
    containers = _podman_names(site, "ps", "--all", "--format", "{{.Names}}")
    volumes = _podman_names(site, "volume", "ls", "--format", "{{.Name}}")
    stored = set(site.run("podman", "image", "ls", "--all", "--quiet", "--no-trunc").split())
    images = [one for one in our_images(Host()) if "sha256:" + one in stored]
    secrets = list_secrets(Host())
    words = [
        "%d %s" % (len(names), noun)
        for names, noun in (
            (pods, "pods"),
            (containers, "containers"),
            (volumes, "volumes"),
            (images, "images"),
            (secrets, "secrets"),
        )
        if names
    ]
    if not words:
        return fine("none")

    def remove() -> str:
        if pods:
            site.try_run("podman", "pod", "rm", "--force", "--time=5", *pods)
        if containers:
            site.try_run("podman", "rm", "--force", "--time=5", *containers)
        if volumes:
            site.run("podman", "volume", "rm", "--force", *volumes)
        for image in images:
            # One that a container of somebody else uses stays.
            remove_image(Host(), image)
        remove_secrets(Host(), secrets)
        return ", ".join(words)

    return change("remove " + ", ".join(words), remove)


def look_at_claims(site: Site) -> Finding:
    """The data of PersistentVolumeClaims: by name, because nothing brings it back."""
    folder = site.path(STATE_FOLDER + "/claims")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    if not names:
        return fine("none")

    def remove() -> str:
        for name in names:
            shutil.rmtree(os.path.join(folder, name))
        return ", ".join(names)

    return change("remove for good what is in " + ", ".join(names), remove)


def look_at_swap_made(site: Site) -> Finding:
    """The swap that bootstrap set up."""
    if site.record.get("swap") is None:
        return fine("none of ours")
    return change("turn off and remove the swap", lambda: stop_swap(site))


def look_at_settings(site: Site) -> Finding:
    """Drop-ins and lines of configuration that bootstrap wrote; sudo's goes last."""
    files = [
        path
        for path in site.record.get("files", [])
        if path != SUDOERS and _is_there(site, path) and not _is_shared(site, path)
    ]
    ids = [
        path
        for path in site.record.get("subordinate_ids", [])
        if SUBORDINATE in (site.read(path) or "").splitlines()
    ]
    units = site.record.get("disabled", [])
    if not files and not ids and not units:
        return fine("none")

    def remove() -> str:
        for unit in units:
            site.try_run("systemctl", "enable", "--quiet", unit)
        for path in ids:
            site.write(path, without_lines(site.read(path) or "", [SUBORDINATE]), 0o644)
        for path in files:
            if _is_there(site, path):
                os.unlink(site.path(path))
        for folder in reversed(site.record.get("folders", [])):
            if folder != CONTAINERS:
                remove_if_empty(site, folder)
        site.run("systemctl", "daemon-reload")
        if JOURNAL in files:
            site.try_run("systemctl", "restart", "systemd-journald.service")
        if any("/ssh/" in path for path in files):
            for unit in ("ssh.service", "sshd.service"):
                site.try_run("systemctl", "try-reload-or-restart", unit)
        return ", ".join(files + ids)

    words = files + ["our line in " + path for path in ids]
    words += ["that %s is off" % unit for unit in units]
    return change("remove " + ", ".join(words), remove)


def look_at_packages_made(site: Site) -> Finding:
    """With ``packages``: the packages that bootstrap installed and nothing else needs."""
    names = site.record.get("packages", [])
    if not site.settings["packages"] or not names:
        return fine("left as they are")

    def remove() -> str:
        gone, stay = remove_packages(site, names)
        return "%d removed, %d left: needed by others" % (len(gone), len(stay))

    return change("remove %d packages" % len(names), remove)


def look_at_store(site: Site) -> Finding:
    """Podman's store, where bootstrap's first `podman info` made it and nothing is in it."""
    if CONTAINERS not in site.record.get("folders", []) or not site.has_command("podman"):
        return fine("left as it is")
    if not os.path.isdir(site.path(CONTAINERS)):
        return fine("none")

    def remove() -> Optional[str]:
        for words in (("ps", "--all"), ("image", "ls", "--all"), ("volume", "ls")):
            status, text = site.try_run("podman", *words, "--quiet")
            if status != 0 or text.strip():
                return "left: somebody else uses it"
        site.try_run("umount", CONTAINERS + "/storage/overlay")
        shutil.rmtree(site.path(CONTAINERS))
        return None

    return change("remove %s, if it is empty" % CONTAINERS, remove)


STEPS = (
    ("units", look_at_units),
    ("files", look_at_files),
    ("containers", look_at_containers),
    ("claims", look_at_claims),
    ("podman's store", look_at_store),
    ("swap", look_at_swap_made),
    ("settings", look_at_settings),
    ("packages", look_at_packages_made),
)


def current_manifest() -> Manifest:
    """The active generation's manifest; an empty one where there is none."""
    store = Store(Host())
    return store.manifest(store.current_number())


def made_folders() -> List[str]:
    """Folders that activations made, the deepest first."""
    store = Store(Host())
    folders = store.record(store.current_number()).get("folders", [])
    return sorted(folders, key=lambda path: (-path.count("/"), path))


def loaded_units(site: Site) -> Set[str]:
    """Units that systemd has loaded under Skerry's name, but for this reset's own."""
    _, text = site.try_run(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", "skerry-*"
    )
    names = {line.split()[0] for line in text.splitlines() if line.strip()}
    return {name for name in names if name.startswith("skerry-") and name != UNIT}


def _the_rest(site: Site) -> List[str]:
    user = site.record.get("user")
    return [*(["the user %s" % user] if user else ["your key"]), SUDOERS, STATE_FOLDER]


def _what_stays(site: Site, args: Dict[str, Any]) -> List[str]:
    left = []
    packages = site.record.get("packages", [])
    if packages and not args["packages"]:
        left.append("packages that were installed (--packages removes them): " + " ".join(packages))
    if site.record.get("journal_folder"):
        left.append("/var/log/journal, with the node's log")
    return left


def _podman_names(site: Site, *words: str) -> List[str]:
    return [name for name in site.run("podman", *words).split() if re.match(r"skerry-", name)]


def _is_there(site: Site, path: str) -> bool:
    return os.path.lexists(site.path(path)) and not os.path.isdir(site.path(path))


def _is_shared(site: Site, path: str) -> bool:
    """Whether a file that bootstrap made has lines of others by now (subuid)."""
    if path not in site.record.get("subordinate_ids", []):
        return False
    return bool(without_lines(site.read(path) or "", [SUBORDINATE]).strip())
