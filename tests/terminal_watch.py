"""A command on a terminal of its own, as a person sees it: what it shows, and when."""

from __future__ import annotations

import os
import pty
import time

import msgspec

from skerry.edge.run import Command, start


class Watched(msgspec.Struct, frozen=True):
    """A command that has ended: exit status, seconds, and what it showed at which second."""

    status: int
    seconds: float
    shown: list[tuple[float, str]]

    @property
    def text(self) -> str:
        """All that it showed."""
        return "".join(part for _, part in self.shown)

    def when(self, words: str) -> float:
        """At which second the words had been shown. Raises AssertionError where they never were."""
        text = ""
        for second, part in self.shown:
            text += part
            if words in text:
                return second
        raise AssertionError(f"never shown: {words!r}\n{text[-3000:]}")


def watch(command: Command) -> Watched:
    """Runs the command on a terminal to its end."""
    ours, theirs = pty.openpty()
    begun = time.monotonic()
    child = start(command, stdin=theirs, stdout=theirs, stderr=theirs, new_session=True)
    os.close(theirs)
    shown = []
    try:
        while chunk := os.read(ours, 65536):
            shown.append((time.monotonic() - begun, chunk.decode(errors="replace")))
    except OSError:
        # Linux's way to say that the other side has closed the terminal.
        pass
    status = child.wait()
    seconds = time.monotonic() - begun
    os.close(ours)
    return Watched(status, seconds, shown)
