"""What live tests share: waiting for a condition, and looking at a lab from outside."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TypeVar

from skerry.edge.run import Command, Finished, run
from skerry.errors import CommandFailed, LabError
from skerry.lab import Lab, Node
from skerry.lab.network import open_socket

Result = TypeVar("Result")

LIST_RUNNING = "podman ps -a --filter status=running"
"""The running containers. Without ``-a`` Podman picks from its notes without waiting for who is
writing them, and leaves out containers that have just begun."""
_LOOK_EVERY = 0.05
"""Seconds between two looks at a condition, at least."""
_LONGEST_REST = 2.0
"""As long as a look took is waited before the next one, up to so many seconds: a look that costs
much (a whole `skerry apply`) would else take from a busy machine what the awaited thing needs."""
_PATIENCE = 4
"""How many times as long as a test says is waited in the end: it says how long a thing takes, with
room, and what is shown is that it comes. A machine that is slower or busier shows that too."""
# As sshd would have it.
_ENVIRONMENT = (
    "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)  # fmt: skip


def wait_until(
    predicate: Callable[[], Result], timeout: float = 30, what: str = "the condition"
) -> Result:
    """Returns what `predicate` returns as soon as that is true.

    `timeout` is in seconds, of a machine that is busy with other tests. Raises `AssertionError`,
    which names `what`, when it has passed four times.
    """
    timeout *= _PATIENCE
    deadline = monotonic() + timeout
    pause = Event()
    while True:
        begun = monotonic()
        result = predicate()
        if result:
            return result
        now = monotonic()
        if now > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        pause.wait(max(_LOOK_EVERY, min(now - begun, _LONGEST_REST)))


def run_on(
    node: Node,
    script: str,
    *,
    check: bool = True,
    timeout: float = 300,
    input: bytes | None = None,
) -> Finished:
    """Runs a shell command on the node as root, past sshd: it costs a tenth of a new connection,
    and neither a node that is cut off nor one that was killed meanwhile holds it up.

    As with ssh, the status is 255 where the node is down. Raises `CommandFailed` as `run` does.
    """
    try:
        command = node.console_command(
            "env", "--ignore-environment", "--chdir=/root", *_ENVIRONMENT, "bash", "-c", script
        )
    except LabError as error:
        if check:
            raise CommandFailed(str(error)) from error
        return Finished(Command.of("bash", "-c", script), 255, b"", str(error).encode())
    try:
        return run(command, check=check, timeout=timeout, input=input)
    except CommandFailed as fault:
        # What it said is in the report of the test that fails with it.
        fault.add_note(fault.detail)
        raise


def ssh(
    lab: Lab,
    node: str,
    *words: str,
    check: bool = True,
    timeout: float = 60,
    input: bytes | None = None,
) -> Finished:
    """Runs a command on the node with the system's ssh, the lab's ssh_config and no master."""
    options = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=5")
    argv = ("ssh", "-F", str(lab.ssh_config), *options, node, "--", *words)
    try:
        return run(Command.of(*argv), check=check, timeout=timeout, input=input)
    except CommandFailed as fault:
        # What it said is in the report of the test that fails with it.
        fault.add_note(fault.detail)
        raise


def host_key(lab: Lab, node: str) -> str:
    """The public host key that the node's sshd shows, asked over the network."""
    answer = run(lab.inside("ssh-keyscan", "-T", "3", "-t", "ed25519", lab.node(node).address))
    return answer.text.split()[-1]


def can_connect(namespace: Path, address: str, port: int = 22) -> bool:
    """Whether a TCP connection from a network namespace gets a first byte within 1 s."""
    try:
        with open_socket(namespace) as probe:
            probe.settimeout(1)
            probe.connect((address, port))
            return len(probe.recv(1)) == 1
    except OSError:
        return False


def inner_namespace(node: Node) -> Path:
    """The node's own network namespace: from here one sees what the node sees."""
    return Path(f"/proc/{node.init_pid()}/ns/net")


def open_to_ssh(lab: Lab, node: Node) -> socket.socket:
    """An open connection to the node's sshd, past its banner."""
    connection = lab.network.open_socket()
    connection.settimeout(3)
    connection.connect((node.address, 22))
    assert connection.recv(4) == b"SSH-"
    while b"\n" not in connection.recv(256):
        pass
    return connection


def groups_below(cgroup: Path) -> list[Path]:
    """All cgroups below one. They come and go meanwhile: `rglob` would be thrown off by that."""
    return [Path(above, name) for above, names, _ in os.walk(cgroup) for name in names]


def processes_in(cgroup: Path) -> list[int]:
    """The processes of a cgroup and of all below it."""
    found = []
    for group in (cgroup, *groups_below(cgroup)):
        with suppress(OSError):
            found += [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    return found


def traces(lab: Lab) -> list[str]:
    """All that is left of a lab on this computer: empty when it is wholly gone."""
    places = lab.places
    found = [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines()
             if places.key in line]  # fmt: skip
    found += [f"folder {path}" for path in (places.state, places.lock) if path.exists()]
    found += [f"namespace {places.namespace_path}"] if places.namespace_path.exists() else []
    groups = groups_below(lab.host.cgroups)
    found += [f"cgroup {path}" for path in groups if places.key in path.name]
    for process in Path("/proc").glob("[0-9]*"):
        found += _traces_of_process(process, places.key, str(places.state))
    found += [f"disk {path}" for path in places.cache.glob(f"*/labs/{places.key}")]
    return found


def _traces_of_process(process: Path, key: str, state: str) -> list[str]:
    if process.name == str(os.getpid()):
        return []
    try:
        words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        mounts = (process / "mountinfo").read_text(errors="replace")
    except OSError:
        return []
    if key in words or re.search(rf"{re.escape(state)}(/|\s)", words) or key in mounts:
        return [f"process {process.name}: {words}"]
    return []
