"""A command in a container of a replica, its streams handed through."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import msgspec

from skerry.edge.run import start
from skerry.edge.ssh import Link, run_remote, ssh_command
from skerry.errors import NodeError, NodeUnreachable, UsageError
from skerry.observe.containers import Inspected
from skerry.observe.log_streams import client_only
from skerry.observe.root import root_command
from skerry.observe.status import state_of_unit

# What ssh itself ends with when it fails; a command may end with it too.
_SSH_FAILED = 255


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command is run."""

    node: str
    workload: str
    replica: int
    container: str
    unit: str


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What is run: the command's words; whether it gets our input, and a terminal of its own.

    `term` is the type of our terminal.
    """

    words: tuple[str, ...]
    has_input: bool = False
    has_terminal: bool = False
    term: str = ""


def try_choose_target(
    inspected: Mapping[str, Inspected], workload: str, container: str | None
) -> Target | None:
    """The first running replica, by the order of nodes and replicas; its first container."""
    for target, state in _candidates(inspected, workload):
        if state == "running" and container in (None, target.container):
            return target
    return None


def choose_target(
    inspected: Mapping[str, Inspected], workload: str, container: str | None
) -> Target:
    """As `try_choose_target`; raises `UsageError` with the reason where there is none."""
    target = try_choose_target(inspected, workload, container)
    if target is not None:
        return target
    candidates = _candidates(inspected, workload)
    if not candidates:
        raise UsageError(
            f"no workload {workload!r} on {', '.join(inspected)}",
            hint="`skerry status` shows what runs where",
        )
    containers = dict.fromkeys(target.container for target, _ in candidates)
    if container is not None and container not in containers:
        raise UsageError(
            f"{workload} has no container {container!r}",
            hint=f"containers: {', '.join(containers)}",
        )
    states = ", ".join(f"{state} on {target.node}" for target, state in candidates)
    raise UsageError(f"no replica of {workload} runs: {states}", hint=f"skerry logs {workload}")


def _candidates(inspected: Mapping[str, Inspected], workload: str) -> list[tuple[Target, str]]:
    return [
        (
            Target(
                node=node,
                workload=workload,
                replica=entry["replica"],
                container=entry["container"],
                unit=unit,
            ),
            state_of_unit(entry, answer.states.get(unit)),
        )
        for node, answer in inspected.items()
        for unit, entry in answer.units.items()
        # The unit of a pod has no container of the user's.
        if entry["workload"] == workload and entry["image_id"]
    ]


def run_in_container(
    link: Link,
    target: Target,
    execution: Execution,
    *,
    token: str,
) -> int:
    """Runs the command and returns its exit status; our streams are its streams.

    As with ``podman exec``, 125 is Podman's own failure, 126 a command that cannot be run, 127
    one that is not there. `token` is a word that nobody else uses. Raises `NodeUnreachable` when
    the connection failed, which the status 255 alone does not tell.
    """
    remote = compile_remote(target, execution, token)
    command = client_only(ssh_command(link, remote, tty=execution.has_terminal))
    child = start(command, stdin=None) if execution.has_input else start(command)
    status = child.wait()
    if status == _SSH_FAILED and not _was_its_own(link, token):
        raise NodeUnreachable(
            link.node,
            f"the connection was lost while {shlex.join(execution.words)} ran; "
            "its exit status is not known",
        )
    return status


def compile_remote(target: Target, execution: Execution, token: str) -> str:
    """The shell command for the node.

    Where the command ends with 255, a file named by `token` says that it was the command: ssh
    has that status for all its own failures.
    """
    words = ["podman", "exec"]
    if execution.has_input:
        words.append("--interactive")
    if execution.has_terminal:
        words.append("--tty")
        if execution.term:
            words.append(f"--env=TERM={execution.term}")
    words += [container_name(target.unit), *execution.words]
    mark = shlex.quote(_mark(token))
    return (
        f"({root_command(words)}); status=$?; "
        f'[ "$status" != {_SSH_FAILED} ] || (umask 077; set -C; : >{mark}); exit "$status"'
    )


def container_name(unit: str) -> str:
    """The container that a unit runs: compile gives it the unit's name."""
    return unit.removesuffix(".service")


def _was_its_own(link: Link, token: str) -> bool:
    try:
        finished = run_remote(link, f"rm -- {shlex.quote(_mark(token))}", timeout=10)
    except NodeError:
        return False
    return finished.status == 0


def _mark(token: str) -> str:
    return f"/tmp/.skerry-exec-{token}"
