"""One exchange with the node program: a request with its streams, events, a result."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from skerry.edge import program
from skerry.edge.ssh import (
    Link,
    close_connection,
    raise_for_ssh,
    read_all,
    run_remote,
    ssh_command,
    start_ssh,
    stop_ssh,
)
from skerry.errors import NodeError, NodeLocked, NodeProgramFailed, NodeUnreachable
from skerry_node import wire

Event = dict[str, Any]
OnEvent = Callable[[Event], None]
DEADLINE = 30.0
_CHUNK = 1 << 18


class Outgoing(msgspec.Struct, frozen=True):
    """Raw bytes that go with a request: a blob by digest or an image by id.

    `size` is in bytes, or -1 where it is not known before the last chunk.
    """

    kind: str
    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


class Door(msgspec.Struct, frozen=True):
    """Another way to the node program than the one that is installed on the node.

    The shell command `remote` reads `prologue` (a password for sudo, the program itself) and
    then becomes the node program.
    """

    remote: str
    prologue: bytes


def exchange(
    link: Link,
    op: str,
    args: dict[str, Any] | None = None,
    *,
    streams: tuple[Outgoing, ...] = (),
    deadline: float = DEADLINE,
    on_event: OnEvent | None = None,
    door: Door | None = None,
) -> dict[str, Any]:
    """Asks the node program for `op` and returns its result.

    `deadline` is how long the node may stay silent, in seconds. `on_event` sees every event but
    the last. The node program is installed first where this version of it is not there yet,
    unless a `door` brings it along.
    Raises `NodeUnreachable` (and what `raise_for_ssh` raises) when the connection fails or the
    node stays silent, `NodeLocked` when another operator is at work, and `NodeProgramFailed`
    with the node's own words for every other refusal.
    """
    remote = door.remote if door is not None else program.remote_command(program.digest())
    command = ssh_command(link, remote)
    prologue = door.prologue if door is not None else b""
    for attempt in (1, 2):
        with tempfile.TemporaryFile() as stderr:
            process = start_ssh(link, command, stderr)
            try:
                last = _converse(
                    process,
                    link,
                    _outgoing_bytes(prologue, op, args or {}, streams),
                    deadline,
                    on_event,
                )
                status = process.wait(timeout=deadline)
            except (TimeoutError, subprocess.TimeoutExpired):
                stop_ssh(process)
                close_connection(link)
                raise NodeUnreachable(link.node, f"silent for {deadline:g} s during {op}") from None
            except BaseException:
                stop_ssh(process)
                raise
            words = read_all(stderr)
        if last is not None:
            return _result(link, last)
        if status == wire.PROGRAM_MISSING and attempt == 1 and door is None:
            _install(link)
            continue
        raise_for_ssh(link, status, words)
        raise _explained(link, op, status, words)
    raise AssertionError("unreachable")


def _converse(
    process: subprocess.Popen[bytes],
    link: Link,
    outgoing: Iterator[bytes],
    deadline: float,
    on_event: OnEvent | None,
) -> Event | None:
    """Writes all, reads all, at once; returns the last event, None if there was none."""
    assert process.stdin is not None and process.stdout is not None
    pending = memoryview(next(outgoing))
    stdin, stdout = process.stdin.fileno(), process.stdout.fileno()
    os.set_blocking(stdin, False)
    os.set_blocking(stdout, False)
    poll = select.poll()
    poll.register(stdin, select.POLLOUT)
    poll.register(stdout, select.POLLIN)
    writing, received, last = True, bytearray(), None
    while True:
        ready = dict(poll.poll(deadline * 1000))
        if not ready:
            raise TimeoutError
        if writing and stdin in ready:
            try:
                pending = pending[os.write(stdin, pending[:_CHUNK]) :]
                if not pending:
                    pending = memoryview(next(outgoing))
            except (StopIteration, BrokenPipeError):
                # All is said, or the node would hear no more: its answer says why.
                writing = False
                poll.unregister(stdin)
                process.stdin.close()
        if stdout in ready:
            chunk = os.read(stdout, _CHUNK)
            if not chunk:
                break
            received += chunk
            if len(received) > wire.LINE_LIMIT:
                raise NodeProgramFailed(link.node, "the answer is larger than any answer can be")
            *lines, rest = bytes(received).split(b"\n") if b"\n" in chunk else [bytes(received)]
            if lines:
                received = bytearray(rest)
            for line in lines:
                event = _parse_event(link, line)
                if event["event"] in ("result", "error"):
                    last = event
                elif on_event is not None:
                    on_event(event)
    if writing:
        try:
            process.stdin.close()
        except OSError:
            pass
    process.stdout.close()
    return last


def _outgoing_bytes(
    prologue: bytes, op: str, args: dict[str, Any], streams: tuple[Outgoing, ...]
) -> Iterator[bytes]:
    described = [{"kind": one.kind, "name": one.name, "size": one.size} for one in streams]
    request = {"protocol": wire.PROTOCOL, "op": op, "args": args, "streams": described}
    yield prologue + wire.dump(request) + b"\n"
    for one in streams:
        for chunk in one.chunks():
            if one.size < 0:
                yield b"%08x" % len(chunk)
            if chunk:
                yield chunk
        if one.size < 0:
            yield b"%08x" % 0


def _parse_event(link: Link, line: bytes) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise NodeProgramFailed(
            link.node,
            "the node's answer is not of the node program",
            hint="does the login shell of the node print something of its own?",
            detail=line[:300].decode(errors="replace"),
        )
    return event


def _result(link: Link, last: Event) -> dict[str, Any]:
    if last["event"] == "result":
        result = last.get("result")
        if not isinstance(result, dict):
            raise NodeProgramFailed(link.node, "the node program's result is malformed")
        return result
    message, hint = str(last.get("message", "")), str(last.get("hint", ""))
    detail, reason = str(last.get("detail", "")), str(last.get("id", ""))
    if reason == "locked":
        raise NodeLocked(link.node, message, hint=hint, detail=detail)
    error = NodeProgramFailed(link.node, message, hint=hint, detail=detail)
    error.reason = reason
    raise error


def _install(link: Link) -> None:
    started = time.monotonic()
    finished = run_remote(
        link, program.install_command(program.digest()), input=program.build(), timeout=60
    )
    if finished.status in (wire.PYTHON_MISSING, wire.PYTHON_TOO_OLD, wire.UNPACKER_MISSING):
        raise _explained(link, "install", finished.status, finished.stderr)
    if finished.status != 0:
        raise NodeProgramFailed(
            link.node,
            f"the node program could not be put on the node (status {finished.status}, "
            f"{time.monotonic() - started:.1f} s)",
            detail=finished.error_text,
        )


def _explained(link: Link, op: str, status: int, stderr: bytes) -> NodeError:
    words = stderr.decode(errors="replace").strip()
    bootstrap = f"`skerry node add {link.node} {link.target}` makes a host into a node"
    if status == wire.PYTHON_MISSING:
        return NodeProgramFailed(link.node, "there is no python3 on the node", hint=bootstrap)
    if status == wire.PYTHON_TOO_OLD:
        return NodeProgramFailed(link.node, "python3 on the node is older than 3.9", hint=bootstrap)
    if status == wire.UNPACKER_MISSING:
        words = "python3 on the node has no module bz2, which Debian and others have in python3"
        return NodeProgramFailed(link.node, words, hint=bootstrap)
    if "sudo" in words:
        return NodeProgramFailed(
            link.node, "sudo on the node asks for a password", hint=bootstrap, detail=words
        )
    return NodeProgramFailed(
        link.node, f"the node program ended with status {status} during {op}", detail=words[-4000:]
    )
