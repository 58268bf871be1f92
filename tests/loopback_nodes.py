"""Simulated nodes: real sshd on ports of the loopback, and behind each a stub of the node program.

For what concerns the operator's side alone: how many connections it stands, and what dead nodes
cost it. The stub answers one op, ``observe``, with what was written down for its port, and runs
any other command in a shell; it looks at nothing and changes nothing.

sshd comes from the lab's root, with its libraries, in a folder of its own: the machine need not
have one, and nothing of it stays.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from skerry.edge.run import Command, run, start
from skerry.lab import Lab
from skerry.lab.root import PLAIN

PROGRAMS = (
    "/usr/sbin/sshd",
    "/usr/lib/openssh/sshd-session",
    "/usr/lib/openssh/sshd-auth",
    "/usr/bin/sh",
    "/usr/bin/sed",
)
# sshd listens on no more sockets than this (MAX_LISTEN_SOCKS in its sshd.c).
PORTS_EACH = 16
# The login shell of the nodes. It takes the time of one process: what a node does with a request
# is not what is measured here, where nodes and operator share a machine. What ends the connections
# of one whose stub is stopped is the sshd above it.
STUB = r"""#!/bin/sh
case $2 in
*skerry_node*) ;;
*) exec sh -c "$2" ;;
esac
set -- $SSH_CONNECTION
if test -e /answers/$4.hangs; then kill -STOP $$; fi
exec sed -n -e "/\"op\":\"observe\"/{r /answers/$4.observe" -e "q;}"
"""
CONFIG = """\
HostKey /keys/host-{number}
AuthorizedKeysFile /keys/authorized
AuthenticationMethods publickey
UsePAM no
UseDNS no
# The exchange of keys that an ssh of today makes takes 1 ms; that of Debian 12 takes 90 ms, and 20
# of its connections a second is all that two cores can open.
KexAlgorithms curve25519-sha256
StrictModes no
PermitRootLogin yes
PerSourcePenalties no
MaxStartups {startups}
PidFile none
LogLevel QUIET
{addresses}
"""


class LoopbackNodes:
    """sshd processes that listen on `count` ports of 127.0.0.1.

    `root` becomes the root folder of all of them; `source` is a Debian root that has sshd.
    `startups` is sshd's MaxStartups.
    """

    def __init__(self, root: Path, source: Path, *, count: int, startups: str = "1000") -> None:
        self.root = root
        self.ports = free_ports(count)
        self.host_keys: dict[int, str] = {}
        _copy_programs(source, root)
        self._write_files(startups)
        self.daemons = [
            start(
                Command.of("chroot", root, "/usr/sbin/sshd", "-D", "-f", f"/config-{number}"),
                stderr=None,
            )
            for number, _ in enumerate(self._groups())
        ]
        for port in self.ports:
            wait_for_banner(port)

    @property
    def identity(self) -> Path:
        """The private key that all nodes accept."""
        return self.root / "keys/operator"

    def named(self, count: int) -> dict[str, int]:
        """The first so many ports by the names of nodes."""
        return {f"n-{number:03}": port for number, port in enumerate(self.ports[:count])}

    def answer(self, port: int, event: bytes) -> None:
        """What the stub behind the port says: the last event of ``observe``, as it goes over the
        wire."""
        (self.root / "answers" / f"{port}.observe").write_bytes(event + b"\n")

    def hang(self, port: int) -> None:
        """From now on the stub behind the port takes connections and says nothing."""
        (self.root / "answers" / f"{port}.hangs").touch()

    def wait_for_silence(self) -> None:
        """Returns when no connection stands any more, and what served them has gone."""
        from tests.live.lab_harness import wait_until

        daemons = {daemon.pid for daemon in self.daemons}
        wait_until(lambda: daemons.issuperset(self._pids()), 60, "the end of all connections")

    def close(self) -> None:
        """Ends all of it, the connections too: whoever has its root in our folder goes."""
        for pid in self._pids():
            # One that was counted may have ended with another.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for daemon in self.daemons:
            daemon.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def _pids(self) -> list[int]:
        found = []
        for link in Path("/proc").glob("[0-9]*/root"):
            try:
                if link.readlink() == self.root:
                    found.append(int(link.parent.name))
            except OSError:
                continue
        return found

    def _groups(self) -> list[list[int]]:
        return [
            self.ports[first : first + PORTS_EACH]
            for first in range(0, len(self.ports), PORTS_EACH)
        ]

    def _write_files(self, startups: str) -> None:
        root = self.root
        for name in ("answers", "dev", "etc", "keys", "run/sshd", "root", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)
        run(Command.of("mknod", "-m", "666", root / "dev/null", "c", "1", "3"))
        (root / "etc/passwd").write_text(
            "root:x:0:0:root:/root:/stub\nsshd:x:100:65534::/run/sshd:/bin/false\n"
        )
        (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
        (root / "stub").write_text(STUB)
        (root / "stub").chmod(0o755)
        self._make_key("operator")
        shutil.copy(root / "keys/operator.pub", root / "keys/authorized")
        for number, ports in enumerate(self._groups()):
            self._make_key(f"host-{number}")
            public = (root / f"keys/host-{number}.pub").read_text().split()
            self.host_keys.update(dict.fromkeys(ports, " ".join(public[:2])))
            addresses = "\n".join(f"ListenAddress 127.0.0.1:{port}" for port in ports)
            text = CONFIG.format(number=number, startups=startups, addresses=addresses)
            (root / f"config-{number}").write_text(text)

    def _make_key(self, name: str) -> None:
        run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                       self.root / "keys" / name))  # fmt: skip


class DeadPorts:
    """Ports of 127.0.0.1 behind which nobody is, each in its own way.

    `silent` takes the connection and never says a word, `swallowed` does not even take it (the
    kernel drops what a full queue has no room for, as a firewall would), `refused` is closed.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self.silent = self._listen(backlog=128)
        self.swallowed = self._listen(backlog=0)
        for _ in range(2):
            filling = self._open.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(("127.0.0.1", self.swallowed))
        (self.refused,) = free_ports(1)

    def __enter__(self) -> DeadPorts:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _listen(self, *, backlog: int) -> int:
        listener = self._open.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(backlog)
        return int(listener.getsockname()[1])


@contextmanager
def debian_root(name: str) -> Iterator[Path]:
    """A Debian root that has sshd while the block lasts: that of a lab `name` without nodes."""
    lab = Lab.open(name, say=print)
    lab.storage.open()
    try:
        yield lab.storage.roots(print).ensure(PLAIN)
    finally:
        lab.storage.close()


def free_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody listens on."""
    with ExitStack() as held:
        found = []
        for _ in range(count):
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            found.append(int(one.getsockname()[1]))
    return found


def wait_for_banner(port: int) -> None:
    """Returns when an sshd answers on the port; raises OSError when none does within 30 s."""
    from tests.live.lab_harness import wait_until

    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
                return one.recv(4) == b"SSH-"
        except OSError:
            return False

    wait_until(answers, 30, f"an sshd on port {port}")


def _copy_programs(source: Path, root: Path) -> None:
    """Copies the programs with the libraries that they are linked with."""
    listing = run(Command.of("chroot", source, "ldd", *PROGRAMS)).text
    libraries = sorted(set(re.findall(r"(/\S+) \(0x", listing)))
    for name in (*PROGRAMS, *libraries):
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name.lstrip("/"), target)
    (root / "bin").symlink_to("usr/bin")
