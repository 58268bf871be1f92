"""Being told to stop: Ctrl-C, SIGTERM, a terminal that is closed.

A signal raises `Interrupted` in the main thread, as Ctrl-C does in any Python program. Within a
`Stopping` block the first one is only noted, for what is under way to be finished or given back;
the second one raises there too.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter, FileIO, TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from subprocess import Popen

    from _typeshed import ReadableBuffer

    from skerry.edge.early import Early

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = "Ctrl-C again ends at once"

_blocks: list[Stopping] = []
_children: WeakSet[Popen[bytes] | Early] = WeakSet()


class Interrupted(KeyboardInterrupt):
    """The operator wants an end. `words` say in what state everything is; empty: nothing to say."""

    def __init__(self, number: int = signal.SIGINT, words: str = "") -> None:
        super().__init__(number)
        self.number = number
        self.words = words

    @property
    def status(self) -> int:
        """The exit status of the process, as shells give it: 130 after Ctrl-C."""
        return 128 + self.number


class Stopping:
    """A block in which the first signal is noted: `is_wanted` is true from then on.

    `words` are what is said at that moment; they may be changed while the block lasts.
    """

    def __init__(self, words: str = "") -> None:
        self.words = words
        self.number = 0
        self._read, self._write = os.pipe()

    def __enter__(self) -> Stopping:
        _blocks.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _blocks.remove(self)
        os.close(self._read)
        os.close(self._write)

    @property
    def is_wanted(self) -> bool:
        """Whether a signal came."""
        return self.number != 0

    def fileno(self) -> int:
        """A descriptor that becomes readable when a signal comes: for whoever waits in poll(2)."""
        return self._read

    def begin(self, number: int) -> None:
        """Notes that a signal came, and says so. Only what a signal's own code may do."""
        self.number = number
        os.write(self._write, b"!")
        if self.words:
            # Not print: the signal may have come in the middle of one.
            start = b"\n" if os.isatty(2) else b""
            try:
                os.write(2, start + f"interrupted: {self.words}\n".encode())
            except OSError:
                pass

    def interrupted(self, words: str) -> Interrupted:
        """What to raise when all is given back."""
        return Interrupted(self.number, words)


class _Terminal(FileIO):
    """A terminal that may be closed: what is written then goes nowhere.

    The write may fail before the signal that says so is obeyed.
    """

    def write(self, content: ReadableBuffer) -> int:
        try:
            return super().write(content)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return memoryview(content).nbytes


def listen() -> None:
    """Has the signals do what this module says; one that is ignored (nohup) stays ignored."""
    terminals = [descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)]
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper) and stream.isatty():
            setattr(sys, name, _outlasting(stream))

    def note(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave(terminals)
        if _blocks and not _blocks[-1].is_wanted:
            _blocks[-1].begin(number)
            return
        raise Interrupted(number)

    for one in SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, note)


@contextmanager
def interrupted_with(words: str) -> Iterator[None]:
    """Has an interruption of the block say in what state everything is."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise as_interrupted(error, words) from None


def as_interrupted(error: BaseException | None, words: str = "") -> Interrupted:
    """An interruption with these words, unless it has some; a plain one is Ctrl-C's."""
    if not isinstance(error, Interrupted):
        return Interrupted(signal.SIGINT, words)
    return Interrupted(error.number, error.words or words)


def watch_child(process: Popen[bytes] | Early) -> None:
    """Notes a process of ours that must not outlive us."""
    _children.add(process)


def end_children() -> None:
    """Ends what `watch_child` was told of and still runs."""
    for process in list(_children):
        if process.poll() is None:
            process.kill()


def _outlasting(stream: TextIOWrapper) -> TextIOWrapper:
    """The stream as it is, on a terminal that may be closed."""
    stream.flush()
    return TextIOWrapper(
        BufferedWriter(_Terminal(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=True,
    )


def _leave(terminals: list[int]) -> None:
    """Nothing can be written to a closed terminal: what is written goes nowhere from now on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
