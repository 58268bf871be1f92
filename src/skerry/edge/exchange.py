"""One exchange with the node program: a request with its streams, events, a result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from skerry.edge import program
from skerry.edge.answers import invalid_answer, parse_event, parse_result
from skerry.edge.conversation import Lines, Patience, Process, converse
from skerry.edge.run import Command
from skerry.edge.ssh import (
    Link,
    close_connection,
    has_connection,
    is_turned_away,
    raise_for_ssh,
    root_of,
    run_remote,
    ssh_command,
    start_ssh,
    stop_ssh,
)
from skerry.edge.stop import watch_child
from skerry.edge.window import STARTS, Place
from skerry.errors import NodeError, NodeLocked, NodeProgramFailed, NodeUnreachable
from skerry_node import wire

if TYPE_CHECKING:
    from skerry.edge.early import Begun, Early

Event = dict[str, Any]
OnEvent = Callable[[Event], None]
DEADLINE = 30.0
# How long an exchange may take at least, however short a silence may be, in seconds: an answer of
# some megabytes over a bad network.
WITHIN_LEAST = 120.0
# How often a connection is begun that the host turns away for having too many at the moment.
_TRIES = 4

# What may be asked again where nobody knows whether it was heard.
_REPEATABLE = {
    "facts", "generation", "history", "inspect", "lock", "observe", "ping", "push", "renew",
    "unlock",
}  # fmt: skip


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
    within: float | None = None,
    on_event: OnEvent | None = None,
    door: Door | None = None,
    begun: Begun | None = None,
    known: str = "",
    on_sent: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Asks the node program for `op` and returns its result.

    `deadline` is how long the node may stay silent and `within` how long all may take, in
    seconds; without it ten times the deadline. `on_event` sees every event but the last. The
    node program is installed first where this version of it is not there yet, unless a `door`
    brings it along. Where the same was asked early (`begun`), that is listened to; a node program
    that only was started is asked. `known` is the digest that a request `observe` may have (see
    `wire`). `on_sent` is called when the request is on its way, before the answer is waited for.
    Raises `NodeUnreachable` (and what `raise_for_ssh` raises) when the connection fails or the
    node stays silent or takes too long, `NodeAnswerInvalid` for an answer that the node program
    does not give, `NodeLocked` when another operator is at work, and `NodeProgramFailed` with the
    node's own words for every other refusal.
    """
    command = exchange_command(link, known) if door is None else ssh_command(link, door.remote)
    request = (door.prologue if door is not None else b"") + request_line(op, args, streams)
    has_installed, tries = False, 1
    started, stood = time.monotonic(), has_connection(link)
    while True:
        with STARTS.enter() as place:
            early = _try_take(begun, link, known, request) if begun is not None else None
            if early is not None:
                watch_child(early)
            process: Process = early or start_ssh(link, command)
            sent = len(early.sent) if early is not None else 0
            answer = _Answer(link, op, on_event, place, early)
            try:
                if early is not None and (heard := early.take_heard()):
                    answer.hear(heard)
                words = converse(
                    process,
                    _outgoing_bytes(request[sent:], streams, on_sent),
                    answer.hear,
                    Patience(deadline, within or max(WITHIN_LEAST, 10 * deadline)),
                )
            except TimeoutError as error:
                stop_ssh(process)
                close_connection(link)
                raise NodeUnreachable(link.node, f"{error} during {op}") from None
            except BaseException:
                stop_ssh(process)
                raise
        status = process.wait()
        if answer.last is not None:
            return _result(link, op, answer.last)
        if status == wire.PROGRAM_MISSING and not has_installed and door is None:
            _install(link)
            has_installed = True
            continue
        if is_turned_away(status, words) and tries < _TRIES:
            import random

            # Not at the same moment as all the others that were turned away with us.
            time.sleep(random.uniform(0.5, 1.0) * tries)
            tries += 1
            continue
        try:
            raise_for_ssh(link, status, words)
        except NodeUnreachable:
            left = deadline - (time.monotonic() - started)
            if not stood or op not in _REPEATABLE or answer.has_heard or left < 1 or door:
                raise
            # The connection that stood was dead (this machine slept): the node may be well.
            close_connection(link)
            again = msgspec.structs.replace(
                link, connect_timeout=min(link.connect_timeout, int(left))
            )
            command, stood = exchange_command(again, known), False
            continue
        raise _explained(link, op, status, words)


def _try_take(begun: Begun, link: Link, known: str, request: bytes) -> Early | None:
    """What was begun for this request; else what was begun for one of its kind."""
    kind = wire.WILL_OBSERVE if known else wire.WILL_CHANGE
    found = (begun.try_take(exchange_command(link, word).argv, request) for word in (known, kind))
    return next(filter(None, found), None)


def begin_exchange(link: Link, begun: Begun) -> None:
    """Has the node program start before it is known what it will be asked to change.

    Starting it takes longer than most answers. `exchange` takes it over.
    """
    command = exchange_command(link, wire.WILL_CHANGE)
    if not command.env:
        begun.begin([(command.argv, b"")])


def exchange_command(link: Link, word: str = "") -> Command:
    """The ssh command that runs the node program, with request and answer on its pipes.

    Its last word is the digest that is known, or what the request will be about (see `wire`).
    """
    command = ssh_command(link, program.remote_command(program.digest()))
    return msgspec.structs.replace(command, argv=(*command.argv, word)) if word else command


def request_line(op: str, args: dict[str, Any] | None, streams: tuple[Outgoing, ...] = ()) -> bytes:
    """The line that asks the node program for `op`."""
    described = [{"kind": one.kind, "name": one.name, "size": one.size} for one in streams]
    request = {"protocol": wire.PROTOCOL, "op": op, "args": args or {}, "streams": described}
    return wire.dump(request) + b"\n"


class _Answer:
    """The events of one exchange as they come; `last` is the one that ends it."""

    def __init__(
        self,
        link: Link,
        op: str,
        on_event: OnEvent | None,
        place: Place | None = None,
        early: Early | None = None,
    ) -> None:
        self._node = link.node
        self._place = place
        self._early = early
        self._op = op
        self._on_event = on_event
        self._lines = Lines(wire.LINE_LIMIT)
        self._size = 0
        self.last: Event | None = None

    @property
    def has_heard(self) -> bool:
        """Whether the node said anything."""
        return self._size > 0

    def hear(self, chunk: bytes) -> bool:
        """Takes in what came; whether an event was whole with it. Raises `NodeAnswerInvalid`."""
        if self._place is not None:
            self._place.leave(has_answered=True)
        self._size += len(chunk)
        if self._early is not None:
            self._early.heard += chunk
        if self._size > wire.LINE_LIMIT:
            raise invalid_answer(self._node, self._op, f"more than {wire.LINE_LIMIT >> 20} MiB")
        lines = self._lines.feed(chunk)
        for line in lines:
            if self.last is not None:
                raise invalid_answer(self._node, self._op, "it goes on behind its end")
            if not line.startswith(b"{"):
                raise invalid_answer(
                    self._node,
                    self._op,
                    "no event",
                    detail=line[:300].decode(errors="replace"),
                    hint="does the login shell of the node print something of its own?",
                )
            event = parse_event(self._node, self._op, line)
            if event["event"] in ("result", "error"):
                self.last = event
            elif self._on_event is not None:
                self._on_event(event)
        return bool(lines)


def _outgoing_bytes(
    request: bytes, streams: tuple[Outgoing, ...], on_sent: Callable[[], None] | None
) -> Iterator[bytes]:
    yield request
    if on_sent is not None:
        on_sent()
    for one in streams:
        for chunk in one.chunks():
            if one.size < 0:
                yield b"%08x" % len(chunk)
            if chunk:
                yield chunk
        if one.size < 0:
            yield b"%08x" % 0


def _result(link: Link, op: str, last: Event) -> dict[str, Any]:
    if last["event"] == "result":
        return parse_result(link.node, op, last["result"])
    message, hint, detail = last["message"], last.get("hint", ""), last.get("detail") or ""
    if last["id"] == "locked":
        raise NodeLocked(link.node, message, hint=hint, detail=detail)
    error = NodeProgramFailed(link.node, message, hint=hint, detail=detail)
    error.reason = last["id"]
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
            hint="`df`, `df -i` and `mount` on the node show a disk that is full or read-only",
            detail=finished.error_text,
        )


def _explained(link: Link, op: str, status: int, stderr: bytes) -> NodeError:
    words = stderr.decode(errors="replace").strip()
    bootstrap = f"`skerry node add {link.node} {root_of(link)}` makes a host into a node"
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
