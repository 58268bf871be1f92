"""The journals of many nodes as one: read to the end, merged in the order of time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence

import msgspec

from skerry.edge.run import Command
from skerry.edge.ssh import Link, raise_for_ssh, read_all, ssh_command, start_ssh, stop_ssh
from skerry.errors import NodeError, NodeProgramFailed
from skerry.observe.journal import (
    JournalQuery,
    Line,
    Source,
    compile_journal_command,
    for_all_revisions,
    try_parse_entry,
)
from skerry.observe.root import root_command


class NodeLog(msgspec.Struct, frozen=True, kw_only=True):
    """A node and who speaks there, by unit."""

    link: Link
    sources: dict[str, Source]


class JournalStream:
    """One running journalctl on a node; iterating gives its lines as they come."""

    def __init__(self, log: NodeLog, query: JournalQuery, *, after: str | None = None) -> None:
        self._log = log
        self._sources = for_all_revisions(log.sources)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        words = compile_journal_command(sorted(log.sources), query, after=after)
        command = client_only(ssh_command(log.link, root_command(words)))
        self._child = start_ssh(log.link, command, self._stderr)
        assert self._child.stdin is not None
        self._child.stdin.close()

    def __iter__(self) -> Iterator[Line]:
        """The lines in the journal's order. Raises a `NodeError` when it ends with a failure."""
        assert self._child.stdout is not None
        for text in self._child.stdout:
            if (line := try_parse_entry(text, self._sources)) is not None:
                yield line
        status, words = self._child.wait(), read_all(self._stderr)
        self.stop()
        self._raise_for(status, words)

    def stop(self) -> None:
        """Ends it; the node ends its journalctl when it sees the connection's end gone."""
        if not self._stderr.closed:
            stop_ssh(self._child)
            self._stderr.close()

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
) -> Iterator[Line]:
    """The lines of all nodes in the order of time; a node that fails is put into `failed`.

    With `query.lines`, so many at most of all nodes together: the last ones. `cursors` gets the
    place in each node's journal behind all that was read there.
    """
    from heapq import merge

    streams = [(log.link.node, JournalStream(log, query)) for log in logs]
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
