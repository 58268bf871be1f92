"""What a host says of itself before anything is changed: one shell script, one round trip."""

from __future__ import annotations

import msgspec

from skerry.bootstrap.platforms import (
    PYTHON_MINIMUM,
    SUPPORTED,
    Platform,
    Version,
    parse_version,
    try_platform,
)
from skerry.edge.answers import invalid_answer
from skerry.edge.ssh import Link, run_remote
from skerry.errors import AccessRefused, NodeError, NodeProgramFailed, NodeUnsupported

# Goes to the standard input of sh, so the login shell may be any. It must not need anything
# but a POSIX shell and what every system has, and it changes nothing.
PROBE = r"""
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
echo 'skerry-probe begin'
if [ -r /etc/os-release ]; then sed 's/^/os./' /etc/os-release
elif [ -r /usr/lib/os-release ]; then sed 's/^/os./' /usr/lib/os-release; fi
echo
echo "kernel=$(uname -sr)"
echo "arch=$(uname -m)"
echo "hostname=$(uname -n)"
echo "uid=$(id -u)"
echo "user=$(id -un)"
if command -v sudo >/dev/null 2>&1; then
  if sudo -n true >/dev/null 2>&1; then echo sudo=free; else echo sudo=password; fi
else echo sudo=none; fi
[ -d /run/systemd/system ] && echo init=systemd
echo "systemd=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')"
echo "cgroup=$(stat -f -c %T /sys/fs/cgroup 2>/dev/null)"
echo "memory=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
echo "disk=$(df -Pk /var 2>/dev/null | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\) .*/\1/p')"
for m in apt-get dnf; do command -v $m >/dev/null 2>&1 && echo "manager=$m"; done
for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
  command -v $p >/dev/null 2>&1 || continue
  v=$($p -I -S -c 'import sys, json, shutil, subprocess, hashlib, bz2
print("%d.%d" % sys.version_info[:2])' 2>/dev/null) && echo "python=$p $v"
done
# Without a folder of its own a Podman that is not root's makes one in /tmp, and leaves it there.
run=$(mktemp -d)
echo "podman=$(XDG_RUNTIME_DIR=$run podman --version 2>/dev/null | sed 's/^podman version //')"
rm -rf "$run"
echo 'skerry-probe end'
"""

_EXPIRED = "password has expired"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What the probe found. Sizes are in bytes; a version that is not there is ().

    `sudo` is ``free``, ``password`` (it asks for one, or refuses) or ``none``. `python` is the
    command of a Python that the node program can run on, or empty.
    """

    os_id: str
    os_version: str
    os_name: str
    kernel: str
    arch: str
    hostname: str
    user: str
    is_root: bool
    sudo: str
    has_systemd: bool
    systemd: int
    has_cgroup2: bool
    memory: int
    disk_free: int
    managers: tuple[str, ...]
    python: str
    python_version: Version
    podman: Version


def probe_host(link: Link, *, timeout: float = 30.0) -> Host:
    """Looks at the host in one round trip.

    Raises what `run_remote` raises, `AccessRefused` where the password has expired and
    `NodeProgramFailed` where no POSIX shell answers.
    """
    finished = run_remote(link, "exec sh -s", input=PROBE.encode(), timeout=timeout)
    if _EXPIRED in finished.error_text:
        user = f"{link.target.rpartition('@')[0] or 'the user'}"
        raise AccessRefused(
            link.node,
            f"the password of {user} has expired: the host wants a new one before anything else",
            hint=f"log in once (ssh {link.target}), set a new password, and repeat with that one",
            detail=finished.error_text,
        )
    if "skerry-probe end" not in finished.text.split("\n"):
        raise NodeProgramFailed(
            link.node,
            f"no POSIX shell answers at {link.target} (status {finished.status})",
            hint="is it a host with a shell, and not an appliance or a forced command?",
            detail=(finished.error_text or finished.text)[-1000:],
        )
    return parse_probe(link.node, finished.text)


def parse_probe(node: str, text: str) -> Host:
    """The host from the probe's output; what the login shell printed around it is not read.

    Raises `NodeAnswerInvalid` where it is not the probe's.
    """
    lines = text.split("\n")
    try:
        lines = lines[lines.index("skerry-probe begin") + 1 : lines.index("skerry-probe end")]
    except ValueError:
        raise invalid_answer(node, "probe", "it has no beginning or no end") from None
    found: dict[str, str] = {}
    managers, pythons = [], []
    for line in lines:
        key, _, value = line.partition("=")
        if key == "manager":
            managers.append(value)
        elif key == "python":
            command, _, version = value.partition(" ")
            pythons.append((parse_version(version), command))
        else:
            found[key] = _unquoted(value) if key.startswith("os.") else value.strip()
    usable = [entry for entry in pythons if entry[0] >= PYTHON_MINIMUM]
    newest = max((version for version, _ in pythons), default=())
    return Host(
        os_id=found.get("os.ID", ""),
        os_version=found.get("os.VERSION_ID", ""),
        os_name=found.get("os.PRETTY_NAME", ""),
        kernel=found.get("kernel", ""),
        arch=found.get("arch", ""),
        hostname=found.get("hostname", ""),
        user=found.get("user", ""),
        is_root=found.get("uid") == "0",
        sudo=found.get("sudo", "none"),
        has_systemd=found.get("init") == "systemd",
        systemd=_number(found.get("systemd")),
        has_cgroup2=found.get("cgroup") == "cgroup2fs",
        memory=_number(found.get("memory")) * 1024,
        disk_free=_number(found.get("disk")) * 1024,
        managers=tuple(managers),
        python=usable[0][1] if usable else "",
        python_version=usable[0][0] if usable else newest,
        podman=parse_version(found.get("podman", "")),
    )


def choose_platform(node: str, host: Host, *, has_password: bool = False) -> Platform:
    """The platform that the host is; `has_password` says that sudo may ask for one.

    Raises `NodeUnsupported` for a host that cannot be a node and `AccessRefused` for a user
    that cannot become root. Nothing has been changed by then.
    """
    name = host.os_name or f"{host.os_id or 'an unknown system'} {host.os_version}".strip()
    platform = try_platform(host.os_id, host.os_version)
    if platform is None:
        raise _unsupported(node, f"{name} is not supported", f"supported are {SUPPORTED}")
    if not host.has_systemd:
        raise _unsupported(
            node, f"{name} was not booted with systemd", "use a whole (virtual) machine"
        )
    if not host.has_cgroup2:
        raise _unsupported(
            node, f"{name} runs with cgroup v1, where Podman has no Quadlet", platform.cgroup_hint
        )
    command = {"apt": "apt-get", "dnf": "dnf"}[platform.manager]
    if command not in host.managers:
        raise _unsupported(
            node, f"{name} has no {command}", "an image-based system cannot be a node"
        )
    raise_unless_root(node, host, has_password=has_password)
    return platform


def raise_unless_root(node: str, host: Host, *, has_password: bool) -> None:
    """Raises `AccessRefused` for a user that cannot become root."""
    if host.is_root or host.sudo == "free" or (host.sudo == "password" and has_password):
        return
    if host.sudo == "password":
        raise AccessRefused(
            node,
            f"sudo asks the user {host.user} for a password",
            hint="add --ask-password, or log in as root",
        )
    raise AccessRefused(
        node,
        f"the user {host.user} is not root, and there is no sudo on the host",
        hint="log in as root: skerry node add NAME root@HOST",
    )


def _unsupported(node: str, message: str, hint: str) -> NodeError:
    return NodeUnsupported(node, f"{message}; nothing was changed", hint=hint)


def _unquoted(value: str) -> str:
    # os-release(5): values are quoted as for a shell.
    import shlex

    try:
        return "".join(shlex.split(value)) if value[:1] in "\"'" else value.strip()
    except ValueError:
        return value.strip()


def _number(text: str | None) -> int:
    return int(text) if text and len(text) < 16 and text.isascii() and text.isdecimal() else 0
