"""Progress of long work: plain lines, in the order in which things happen."""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Lock

from skerry.render.text import Palette, one_line, wants_colour


class Progress:
    """Prints ``NODE  what`` as it happens, to standard error: standard output is the result's."""

    def __init__(self, names: list[str], *, is_quiet: bool) -> None:
        self.width = max((len(name) for name in names), default=0)
        self.is_quiet = is_quiet
        self.palette = Palette(is_on=wants_colour(sys.stderr))
        self._lock = Lock()

    def show(self, node: str, words: str, *styles: str) -> None:
        """One line about one node; called from any thread."""
        if self.is_quiet or not words:
            return
        name = self.palette.paint(node.ljust(self.width), "bold")
        with self._lock, suppress(OSError):
            # A terminal that is gone is no reason to break off what it was to show.
            print(
                f"  {name}  {self.palette.paint(one_line(words), *styles)}",
                file=sys.stderr,
                flush=True,
            )
