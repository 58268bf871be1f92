"""A conversation with an ssh process of ours: all is written and read at once, and all is bounded.

The other side may be broken or hostile. So nothing that it sends is kept beyond a limit, and it
may neither be silent for long nor drip for ever.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Protocol

_CHUNK = 1 << 18
# The end of what a process complains of that is kept, in bytes.
WORDS_LIMIT = 1 << 16
# So many bytes are progress although no line is whole yet: what a network brings that is barely
# of use. Fewer in all of the time in which one may be silent are a drip.
_LEAST_BYTES = 4096
# How often is looked whether a process has ended whose standard error somebody else holds open
# (the multiplexing master inherits it), in seconds.
_LOOK_EVERY = 0.02


class Process(Protocol):
    """A running process with pipes: a `subprocess.Popen`, or one that was begun early."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None
    returncode: int | None

    def poll(self) -> int | None:
        """The exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises `subprocess.TimeoutExpired` after so many seconds."""

    def kill(self) -> None:
        """Ends it at once."""


class Patience:
    """How long the other side may take.

    `silence` is how long it may go without progress, `within` how long all may take, in seconds;
    None is for ever.
    """

    def __init__(self, silence: float | None, within: float | None = None) -> None:
        self.silence = silence
        self.within = within
        self._begun = self._progress = time.monotonic()
        self._bytes = 0

    def note_progress(self) -> None:
        """Something whole came, or something of ours was taken."""
        self._progress = time.monotonic()
        self._bytes = 0

    def note_bytes(self, count: int) -> None:
        """Bytes came that are no whole line yet."""
        self._bytes += count
        if self._bytes >= _LEAST_BYTES:
            self.note_progress()

    def left(self) -> float | None:
        """How long it may still take, in seconds. Raises TimeoutError when that is over."""
        now = time.monotonic()
        ends = []
        if self.silence is not None:
            ends.append((self._progress + self.silence, f"silent for {self.silence:g} s"))
        if self.within is not None:
            ends.append((self._begun + self.within, f"no end after {self.within:g} s"))
        if not ends:
            return None
        end, words = min(ends)
        if end <= now:
            raise TimeoutError(words)
        return end - now


class TooLong(Exception):
    """More came than anything that is expected can be."""


class Lines:
    """Whole lines out of the chunks in which they come.

    `limit` is the longest line, in bytes; a longer one raises `TooLong`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are whole with this chunk, without their newlines."""
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join((*self._parts, whole[0]))
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._limit or any(len(line) > self._limit for line in whole):
            raise TooLong
        return whole

    def rest(self) -> bytes:
        """What came after the last newline."""
        return b"".join(self._parts)


class Complaints:
    """The end of what a process writes to standard error, read while something else goes on."""

    def __init__(self, process: Process) -> None:
        assert process.stderr is not None
        self._pipe = process.stderr
        self._kept = bytearray()
        self.is_open = True
        os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        """The pipe's descriptor."""
        return self._pipe.fileno()

    def read(self) -> None:
        """Takes in what is there."""
        try:
            chunk = os.read(self.fileno(), _CHUNK)
        except BlockingIOError:
            return
        self.is_open = bool(chunk)
        self._kept += chunk
        del self._kept[:-WORDS_LIMIT]

    def read_to_end(self, process: Process, patience: Patience) -> bytes:
        """What it said in all, once the process has ended. Raises TimeoutError.

        Not to the pipe's end: others may hold it open.
        """
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        while self.is_open and process.poll() is None:
            patience.left()
            if poll.poll(_LOOK_EVERY * 1000):
                self.read()
        while process.returncode is None:
            try:
                process.wait(timeout=patience.left())
            except subprocess.TimeoutExpired:
                continue
        while self.is_open and poll.poll(0):
            self.read()
        self._pipe.close()
        return bytes(self._kept)


def converse(
    process: Process,
    outgoing: Iterable[bytes],
    hear: Callable[[bytes], bool],
    patience: Patience,
) -> bytes:
    """Writes all of `outgoing`, reads all to the end, and waits for the process.

    `hear` gets what comes on standard output in chunks, and says whether something was whole with
    it. Returns the end of what came on standard error. Raises TimeoutError where `patience` ends;
    the process is then still running.
    """
    assert process.stdin is not None and process.stdout is not None
    sending = filter(None, outgoing)
    pending = memoryview(next(sending, b""))
    stdin, stdout = process.stdin.fileno(), process.stdout.fileno()
    complaints = Complaints(process)
    poll = select.poll()
    for descriptor, events in (
        (stdin, select.POLLOUT),
        (stdout, select.POLLIN),
        (complaints.fileno(), select.POLLIN),
    ):
        os.set_blocking(descriptor, False)
        poll.register(descriptor, events)
    is_writing = True
    while True:
        left = patience.left()
        ready = dict(poll.poll(None if left is None else left * 1000))
        if is_writing and stdin in ready:
            try:
                pending = pending[os.write(stdin, pending[:_CHUNK]) :]
                patience.note_progress()
                if not pending:
                    pending = memoryview(next(sending))
            except BlockingIOError:
                pass
            except (StopIteration, BrokenPipeError):
                # All is said, or the other side would hear no more: its answer says why.
                is_writing = False
                poll.unregister(stdin)
                process.stdin.close()
        if complaints.is_open and complaints.fileno() in ready:
            complaints.read()
            if not complaints.is_open:
                poll.unregister(complaints.fileno())
        if stdout in ready:
            chunk = os.read(stdout, _CHUNK)
            if not chunk:
                break
            if hear(chunk):
                patience.note_progress()
            else:
                patience.note_bytes(len(chunk))
    if is_writing:
        try:
            process.stdin.close()
        except OSError:
            pass
    process.stdout.close()
    return complaints.read_to_end(process, patience)


def read_lines(
    process: Process,
    complaints: Complaints,
    *,
    limit: int,
    silence: float | None,
) -> Iterator[bytes]:
    """The lines that a process prints, as they come, each at most `limit` bytes long.

    `silence` is how long none may come, in seconds; None is for ever. Time in which nobody asks
    for the next line does not count. Raises TimeoutError, and `TooLong`.
    """
    assert process.stdout is not None
    stdout = process.stdout.fileno()
    os.set_blocking(stdout, False)
    poll = select.poll()
    poll.register(stdout, select.POLLIN)
    poll.register(complaints.fileno(), select.POLLIN)
    lines, patience = Lines(limit), Patience(silence)
    while True:
        left = patience.left()
        ready = dict(poll.poll(None if left is None else left * 1000))
        if complaints.is_open and complaints.fileno() in ready:
            complaints.read()
            if not complaints.is_open:
                poll.unregister(complaints.fileno())
        if stdout not in ready:
            continue
        chunk = os.read(stdout, _CHUNK)
        if not chunk:
            break
        patience.note_bytes(len(chunk))
        for line in lines.feed(chunk):
            yield line
            patience.note_progress()
    if rest := lines.rest():
        yield rest
