"""The journals of many nodes as one: read to the end, merged in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from skerry.edge.answers import invalid_answer
from skerry.edge.conversation import Complaints, Patience, TooLong, read_lines
from skerry.edge.run import Command
from skerry.edge.ssh import Link, raise_for_ssh, ssh_command, start_ssh, stop_ssh
from skerry.errors import NodeError, NodeProgramFailed, NodeUnreachable
from skerry.observe.journal import (
    JournalQuery,
    Line,
    Source,
    compile_journal_command,
    for_all_revisions,
    try_parse_entry,
)
from skerry.observe.root import root_command

# journald cuts lines of its streams at 48 KiB (LineMax=); what programs hand over as one message
# may be longer, in bytes.
LONGEST_ENTRY = 4 << 20
_USUAL_LIMIT = 48 << 10
# What all lines together may be, where their number is bounded: they are kept to be sorted.
_SIZE_LIMIT = 64 << 20
# How long journalctl may take to end when it has said all, in seconds.
_ENDS_WITHIN = 20.0


class NodeLog(msgspec.Struct, frozen=True, kw_only=True):
    """A node and who speaks there, by unit."""

    link: Link
    sources: dict[str, Source]


class JournalStream:
    """One running journalctl on a node; iterating gives its lines as they come.

    `silence` is how long the node may print nothing, in seconds; None is for ever.
    """

    def __init__(
        self,
        log: NodeLog,
        query: JournalQuery,
        *,
        after: str | None = None,
        silence: float | None = None,
    ) -> None:
        self._log = log
        self._sources = for_all_revisions(log.sources)
        self._most = None if query.follow else query.lines
        self._silence = silence
        words = compile_journal_command(sorted(log.sources), query, after=after)
        self._child = start_ssh(log.link, client_only(ssh_command(log.link, root_command(words))))
        self._complaints = Complaints(self._child)
        assert self._child.stdin is not None
        self._child.stdin.close()

    def __iter__(self) -> Iterator[Line]:
        """The lines in the journal's order.

        Raises a `NodeError` when it ends with a failure, when the node stays silent, and when it
        prints what journalctl does not: a line without an end, more lines than were asked for.
        """
        node, count, size = self._log.link.node, 0, 0
        try:
            for text in read_lines(
                self._child, self._complaints, limit=LONGEST_ENTRY, silence=self._silence
            ):
                count += 1
                size += len(text)
                # Without a bound on lines nothing is kept: who reads ends it when it is enough.
                if self._most is not None and (
                    count > self._most or size > max(_SIZE_LIMIT, self._most * _USUAL_LIMIT)
                ):
                    raise invalid_answer(node, "logs", f"more than {self._most} lines can be")
                if (line := try_parse_entry(text, self._sources)) is not None:
                    yield line
            words = self._complaints.read_to_end(self._child, Patience(None, _ENDS_WITHIN))
        except TimeoutError as error:
            raise NodeUnreachable(node, f"{error} during logs") from None
        except TooLong:
            raise invalid_answer(
                node, "logs", f"a line of more than {LONGEST_ENTRY >> 20} MiB"
            ) from None
        finally:
            self.stop()
        self._raise_for(self._child.returncode, words)

    def stop(self) -> None:
        """Ends it; the node ends its journalctl when it sees the connection's end gone."""
        stop_ssh(self._child)

    def _raise_for(self, status: int, stderr: bytes) -> None:
        raise_for_ssh(self._log.link, status, stderr)
        words = stderr.decode(errors="replace").strip()
        # journalctl ends with 1, in silence, when a pattern matches nothing.
        if status != 0 and (status != 1 or words):
            node = self._log.link.node
            raise NodeProgramFailed(
                node, f"journalctl ended with status {status}", detail=words[-2000:]
            )


def client_only(command: Command) -> Command:
    """The ssh command, never as the one that keeps the connection for others.

    The first value of an ssh option counts. A client that becomes the master would take every
    other command down when it is ended, or hold its caller's output open after its end.
    """
    return msgspec.structs.replace(
        command, argv=(command.argv[0], "-o", "ControlMaster=no", *command.argv[1:])
    )


def read_merged(
    logs: Sequence[NodeLog],
    query: JournalQuery,
    failed: dict[str, NodeError],
    *,
    cursors: dict[str, str] | None = None,
    silence: float | None = None,
) -> Iterator[Line]:
    """The lines of all nodes in the order of time; a node that fails is put into `failed`.

    With `query.lines`, so many at most of all nodes together: the last ones. `cursors` gets the
    place in each node's journal behind all that was read there. `silence` is how long a node may
    print nothing, in seconds.
    """
    from heapq import merge

    streams = [(log.link.node, JournalStream(log, query, silence=silence)) for log in logs]
    try:
        bounded = query.lines is not None
        parts = [_until_failure(node, stream, failed, cursors) for node, stream in streams]
        # journalctl turns the order round when it is given a pattern and a number of lines.
        sources = [sorted(part, key=_time_of) for part in parts] if bounded else parts
        merged = merge(*sources, key=_time_of)
        yield from (_last(merged, query.lines) if query.lines is not None else merged)
    finally:
        for _, stream in streams:
            stream.stop()


def _until_failure(
    node: str,
    stream: JournalStream,
    failed: dict[str, NodeError],
    cursors: dict[str, str] | None,
) -> Iterator[Line]:
    latest = 0
    try:
        for line in stream:
            if cursors is not None and line.microseconds >= latest:
                latest, cursors[node] = line.microseconds, line.cursor
            yield line
    except NodeError as error:
        failed[node] = error


def _last(lines: Iterator[Line], count: int) -> list[Line]:
    from collections import deque

    return list(deque(lines, maxlen=count))


def _time_of(line: Line) -> int:
    return line.microseconds
