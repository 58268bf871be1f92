"""Root's door on a host that is not a node yet: nothing of Skerry is installed there."""

from __future__ import annotations

import shlex

import msgspec

from skerry.bootstrap.platforms import Platform
from skerry.bootstrap.probe import Host
from skerry.edge.exchange import Door
from skerry.edge.run import Finished
from skerry.edge.ssh import Link, run_remote
from skerry.errors import AccessRefused, NodeProgramFailed

# The program lies in a temporary folder for as long as it runs, so that a check leaves no trace.
_RUN = (
    "umask 077; d=$(mktemp -d) || exit 1; trap 'rm -rf \"$d\"' EXIT; "
    "trap 'exit 129' HUP INT TERM; "
    'head -c {size} | {python} -I -S -B -c "import bz2, sys; '
    'sys.stdout.buffer.write(bz2.decompress(sys.stdin.buffer.read()))" '
    '>"$d/program.zip" || exit 1; '
    '{python} -I -S -B -c "import sys; sys.path.insert(0, sys.argv[1]); '
    'from skerry_node.__main__ import main; sys.exit(main())" "$d/program.zip"'
)
_APT_PYTHON = """\
export DEBIAN_FRONTEND=noninteractive
list() { dpkg-query -W -f '${Package} ${db:Status-Status}\\n' | sed -n 's/ installed$//p' | sort; }
apt() { apt-get -y -o DPkg::Lock::Timeout=120 --no-install-recommends "$@" >&2 </dev/null; }
before=$(list)
apt install "$1" || { apt update && apt install "$1"; } || exit 1
list | while read -r p; do case "
$before
" in *"
$p
"*) ;; *) echo "brought $p";; esac; done
"""
_DNF_PYTHON = """\
list() { rpm -qa --queryformat '%{NAME}\\n' | sort; }
before=$(list)
dnf -y --setopt=install_weak_deps=False install "$1" >&2 </dev/null || exit 1
list | while read -r p; do case "
$before
" in *"
$p
"*) ;; *) echo "brought $p";; esac; done
"""


class RootDoor(msgspec.Struct, frozen=True, kw_only=True):
    """How the link's user becomes root: it is root, sudo lets it, or sudo takes the password."""

    link: Link
    is_root: bool
    password: str | None = None

    def remote(self, command: str) -> str:
        """The remote command that runs the one-line shell command as root."""
        if self.is_root:
            return f"exec sh -c {shlex.quote(command)}"
        sudo = "sudo -n" if self.password is None else "sudo -k -S -p ''"
        return f"exec {sudo} sh -c {shlex.quote(command)}"

    @property
    def prologue(self) -> bytes:
        """What sudo reads first."""
        return b"" if self.password is None else self.password.encode() + b"\n"

    def run(self, command: str, *, input: bytes = b"", timeout: float = 60.0) -> Finished:
        """Runs a shell command as root. Raises what `run_remote` raises."""
        return run_remote(
            self.link, self.remote(command), input=self.prologue + input, timeout=timeout
        )

    def program_door(self, python: str, program: bytes) -> Door:
        """The way to a node program that is gone again when it has ended."""
        command = _RUN.format(size=len(program), python=shlex.quote(python))
        return Door(self.remote(command), self.prologue + program)


def open_root_door(link: Link, host: Host) -> RootDoor:
    """The door for the user that the probe found. Raises `AccessRefused` where sudo stays shut."""
    if host.is_root or host.sudo == "free":
        return RootDoor(link=link, is_root=host.is_root)
    door = RootDoor(link=link, is_root=False, password=link.password)
    finished = door.run("true", timeout=30)
    if finished.status != 0:
        raise AccessRefused(
            link.node,
            f"sudo does not let the user {host.user} in with that password",
            hint="log in as root, or as a user that may use sudo",
            detail=finished.error_text[-500:],
        )
    return door


def install_python(door: RootDoor, platform: Platform) -> list[str]:
    """Installs the platform's Python; returns the packages that came. Raises NodeProgramFailed."""
    script = _APT_PYTHON if platform.manager == "apt" else _DNF_PYTHON
    command = f"exec sh -s {shlex.quote(platform.python)}"
    finished = door.run(command, input=script.encode(), timeout=600)
    if finished.status != 0:
        raise NodeProgramFailed(
            door.link.node,
            f"the package {platform.python} could not be installed",
            hint="mend the node's package manager; the same command again goes on from there",
            detail=finished.error_text[-3000:],
        )
    words = [line.split() for line in finished.text.splitlines()]
    return [line[1] for line in words if line[:1] == ["brought"]]
