"""The deploy user: the account, the operator's keys, sudo; and, on demand, no more passwords."""

from __future__ import annotations

import os
import pwd

from skerry_node.bootstrap_site import change, fine, skipped
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Sequence

    from skerry_node.bootstrap_site import Finding, Site

HOME = "/home/skerry"
SUDOERS = "/etc/sudoers.d/skerry"
SSHD_DROP_IN = "/etc/ssh/sshd_config.d/00-skerry.conf"

# The node program writes units and runs containers as root, so whoever may run it may do
# everything; a list of commands with python3 on it would only look like less. Without use_pty,
# sudo becomes the command instead of copying its input and output (an image!) through a terminal.
SUDOERS_TEXT = """\
# Written by `skerry node add`; removed by `skerry node reset`.
# The deploy user installs units and runs containers as root: this is root, by another name.
Defaults:%(user)s !requiretty, !use_pty
%(user)s ALL=(ALL:ALL) NOPASSWD: ALL
"""

# The first value that sshd reads wins, and cloud-init writes a 50-*.conf: hence 00.
SSHD_TEXT = """\
# Written by `skerry node add --harden`; removed by `skerry node reset`.
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
_EFFECTIVE = ("passwordauthentication no", "kbdinteractiveauthentication no")


def find_user(name: str) -> Optional[pwd.struct_passwd]:
    """The account of that name, None if there is none."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def look_at_user(site: Site) -> Finding:
    """The step: the deploy user is there, without a password, with a home."""
    name = site.settings["user"]
    entry = find_user(name)
    if entry is not None:
        if not os.path.isdir(entry.pw_dir):
            raise NodeFault(
                "user-unfit",
                "the user %s is there already, but its home %s is not" % (name, entry.pw_dir),
                hint="remove that user, or give it a home",
            )
        return fine("%s (uid %d)" % (name, entry.pw_uid))

    def make() -> str:
        site.remember("user", name)
        has_group = any(
            line.startswith(name + ":") for line in (site.read("/etc/group") or "").splitlines()
        )
        # "*" and not "!": with UsePAM no, sshd takes an account with "!" for a locked one.
        site.run(
            "useradd",
            "--system",
            *(("--gid", name) if has_group else ("--user-group",)),
            "--no-create-home",
            "--home-dir",
            HOME,
            "--shell",
            "/bin/sh",
            "--password",
            "*",
            "--comment",
            "Skerry deploys through this account",
            name,
        )
        entry = pwd.getpwnam(name)
        if not os.path.isdir(HOME):
            if not os.path.isdir(os.path.dirname(HOME)):
                site.make_folder(os.path.dirname(HOME), 0o755)
            site.make_folder(HOME, 0o700, (entry.pw_uid, entry.pw_gid))
        return "%s (uid %d, home %s, no password)" % (name, entry.pw_uid, HOME)

    return change("create %s, home %s, no password" % (name, HOME), make)


def look_at_keys(site: Site) -> Finding:
    """The step: the operator's public keys are accepted for the deploy user."""
    name = site.settings["user"]
    keys = site.settings["keys"]
    entry = find_user(name)
    home = entry.pw_dir if entry is not None else HOME
    file = home + "/.ssh/authorized_keys"
    text = site.read(file) or ""
    missing = missing_keys(text, keys)
    if not missing:
        return fine("%d of %d are there" % (len(keys), len(keys)))

    def add() -> str:
        owner = pwd.getpwnam(name)
        ids = (owner.pw_uid, owner.pw_gid)
        site.remember("keys", missing)
        if not os.path.isdir(home + "/.ssh"):
            site.make_folder(home + "/.ssh", 0o700, ids)
        site.write(file, with_lines(text, missing), 0o600, ids)
        if site.has_command("restorecon"):
            site.try_run("restorecon", "-R", home)
        return ", ".join(map(comment_of, missing))

    return change("accept " + ", ".join(map(comment_of, missing)), add)


def look_at_sudo(site: Site) -> Finding:
    """The step: the deploy user may become root without a password, by a drop-in of its own."""
    wanted = SUDOERS_TEXT % {"user": site.settings["user"]}
    if site.read(SUDOERS) == wanted:
        return fine(SUDOERS)

    def allow() -> str:
        site.remember("files", [SUDOERS])
        temporary = "/etc/sudoers.d/.skerry.check"
        site.write(temporary, wanted, 0o440)
        try:
            site.run("visudo", "-c", "-f", site.path(temporary))
            os.rename(site.path(temporary), site.path(SUDOERS))
        finally:
            if os.path.exists(site.path(temporary)):
                os.unlink(site.path(temporary))
        return "%s, checked by visudo" % SUDOERS

    return change("write %s" % SUDOERS, allow)


def look_at_password_login(site: Site) -> Finding:
    """The step of ``--harden``: sshd takes keys only.

    Taken only after a login by key over a new connection was seen to work.
    """
    unit = site.settings["ssh_unit"]
    if site.settings.get("undo"):
        return change("turn password login on again", lambda: allow_passwords(site))
    if not includes_drop_ins(site.read("/etc/ssh/sshd_config") or ""):
        return skipped(
            "not possible by a file of its own: sshd_config has no Include of sshd_config.d; "
            "set PasswordAuthentication no there by hand"
        )
    if site.read(SSHD_DROP_IN) == SSHD_TEXT:
        return fine("password login is off")

    def harden() -> str:
        old = site.read(SSHD_DROP_IN)
        site.remember("files", [SSHD_DROP_IN])
        # sshd refuses to check anything without its folder; with socket activation there is
        # none between two logins.
        if not os.path.isdir(site.path("/run/sshd")):
            site.make_folder("/run/sshd", 0o755)
        site.write(SSHD_DROP_IN, SSHD_TEXT, 0o600)
        status, words = site.try_run("sshd", "-t")
        effective = site.try_run("sshd", "-T")[1].lower().splitlines() if status == 0 else []
        lost = [line for line in _EFFECTIVE if line not in effective]
        if status != 0 or lost:
            if old is None:
                os.unlink(site.path(SSHD_DROP_IN))
            else:
                site.write(SSHD_DROP_IN, old, 0o600)
            raise NodeFault(
                "sshd-config",
                "sshd does not take %s; it is as it was" % SSHD_DROP_IN
                if status != 0
                else "another setting of sshd wins (%s does not hold); it is as it was" % lost[0],
                detail=words[-2000:],
                hint="`sshd -T` on the node shows what holds",
            )
        site.run("systemctl", "try-reload-or-restart", unit)
        return "password login is off (%s)" % SSHD_DROP_IN

    return change("turn password login off (%s)" % SSHD_DROP_IN, harden)


def allow_passwords(site: Site) -> None:
    """Takes the drop-in back, with which nobody could log in."""
    os.unlink(site.path(SSHD_DROP_IN))
    site.run("systemctl", "try-reload-or-restart", site.settings["ssh_unit"])


def missing_keys(text: str, keys: Sequence[str]) -> List[str]:
    """Those of the public keys whose kind and body no line of authorized_keys has."""
    words = [line.split() for line in text.splitlines() if not line.startswith("#")]
    there = {(line[at], line[at + 1]) for line in words for at in range(len(line) - 1)}
    return [key for key in keys if tuple(key.split()[:2]) not in there]


def with_lines(text: str, lines: Sequence[str]) -> str:
    """The text with lines added at its end."""
    start = text if not text or text.endswith("\n") else text + "\n"
    return start + "".join(line + "\n" for line in lines)


def without_lines(text: str, lines: Sequence[str]) -> str:
    """The text without these lines."""
    return "".join(line for line in text.splitlines(True) if line.rstrip("\n") not in lines)


def comment_of(key: str) -> str:
    """What a public key is called: its comment, else its kind."""
    words = key.split(None, 2)
    return words[2] if len(words) > 2 else words[0]


def includes_drop_ins(config: str) -> bool:
    """Whether an sshd_config reads ``sshd_config.d`` before any ``Match`` block."""
    for line in config.splitlines():
        words = line.split()
        if words and words[0].lower() == "match":
            return False
        if words and words[0].lower() == "include" and "sshd_config.d" in line:
            return True
    return False
