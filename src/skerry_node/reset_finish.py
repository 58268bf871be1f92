"""The end of a reset: what the request itself came through and ran from.

It runs as a transient unit, once the operator's connection has ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

from skerry_node.basics import STATE_FOLDER
from skerry_node.bootstrap_access import SUDOERS, find_user, without_lines
from skerry_node.bootstrap_site import Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

UNIT = "skerry-reset.service"
# How long to wait for the deploy user's sessions to end by themselves, in seconds.
_PATIENCE = 20.0


def start_finish(site: Site, user: str) -> None:
    """Starts the unit that ends the reset after this connection."""
    source = (
        "import sys; sys.path.insert(0, %r); "
        "from skerry_node.reset_finish import finish; finish(%r, %r)"
    )
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    site.run(
        "systemd-run",
        "--quiet",
        "--collect",
        "--no-block",
        "--unit=" + UNIT,
        "--description=Skerry takes itself off this node",
        sys.executable,
        "-I",
        "-S",
        "-B",
        "-c",
        source % (folder, user, site.record.get("keys", [])),
    )


def finish(user: str, keys: Sequence[str]) -> None:
    """Removes the deploy user if bootstrap made it (else its keys), sudo's drop-in, all state."""
    site = Site({})
    entry = find_user(user) if user else None
    if entry is not None:
        _wait_for_end_of(entry.pw_uid)
        subprocess.call(["systemctl", "stop", "user@%d.service" % entry.pw_uid])
        subprocess.call(["userdel", user])
        shutil.rmtree(entry.pw_dir, ignore_errors=True)
    elif keys:
        _take_keys_back(site, keys)
    if os.path.exists(SUDOERS):
        os.unlink(SUDOERS)
    if not site.has_command("sudo"):
        remove_if_empty(site, os.path.dirname(SUDOERS))
    _unmount_volumes()
    shutil.rmtree(STATE_FOLDER, ignore_errors=True)
    shutil.rmtree("/run/skerry", ignore_errors=True)


def _unmount_volumes() -> None:
    """The emptyDirs in memory of pods that are gone: each is a file system of its own."""
    folder = STATE_FOLDER + "/volumes"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if os.path.ismount(folder + "/" + name):
            subprocess.call(["umount", "--", folder + "/" + name])


def _wait_for_end_of(uid: int) -> None:
    """Returns when no process of the user is left; in the end they are killed."""
    until = time.monotonic() + _PATIENCE
    while True:
        pids = [
            int(name)
            for name in os.listdir("/proc")
            if name.isdigit() and _owner_of("/proc/" + name) == uid
        ]
        # The user manager and its helper stay a while after a session; they are stopped anyway.
        busy = [pid for pid in pids if not _is_user_manager(pid)]
        if not busy:
            return
        if time.monotonic() > until:
            for pid in busy:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return
        time.sleep(0.1)


def _is_user_manager(pid: int) -> bool:
    try:
        with open("/proc/%d/cgroup" % pid) as file:
            return "/user@" in file.read()
    except OSError:
        return True


def _owner_of(path: str) -> int:
    try:
        return os.stat(path).st_uid
    except OSError:
        return -1


def _take_keys_back(site: Site, keys: Sequence[str]) -> None:
    import pwd

    for entry in pwd.getpwall():
        path = entry.pw_dir + "/.ssh/authorized_keys"
        text = site.read(path)
        if text and any(key in text.splitlines() for key in keys):
            site.write(path, without_lines(text, keys), 0o600, (entry.pw_uid, entry.pw_gid))


def remove_if_empty(site: Site, folder: str) -> None:
    """Removes a folder unless there is something in it."""
    try:
        os.rmdir(site.path(folder))
    except OSError:
        pass
