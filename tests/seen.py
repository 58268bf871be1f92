"""What a person saw of a fault, recorded: ``tests/live/seen/TEST.txt``, shown in docs/faults.md.

A test calls the fixture `seen` with the words; they must be those of the recording, once what
differs from run to run is replaced. ``pytest --record-seen`` writes the recording.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Callable, Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = Path(__file__).parent / "live/seen"
OPTION = "--record-seen"
HAS_FAILED = pytest.StashKey[bool]()
# A line that follows an error line and belongs to it.
_CONTINUED = ("  | ", "  hint: ")
_TRACEBACK = "Traceback (most recent call last)"

_PATTERNS: tuple[tuple[str, str], ...] = (
    (re.escape(str(ROOT)), "<checkout>"),
    (re.escape(f"{getpass.getuser()}@{socket.gethostname()}"), "<operator>"),
    (r"/(?:tmp|run/user/\d+)/[^\s'\"`:;,)\]]+", "<folder>"),
    (r"\btest-\d+(?:-[a-z]+)?\b", "<lab>"),
    (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?", "<time>"),
    (r"\b\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\b", "<time>"),
    (r"\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?", "<time>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\bSHA256:[A-Za-z0-9+/]{43}", "SHA256:<fingerprint>"),
    (r"\b198\.1[89]\.\d+\.\d+", "<address>"),
    (r"\b127\.0\.0\.1(?=:\d|\b)", "<address>"),
    (r"(?<=<address>):\d+\b", ":<port>"),
    (r"(?<=<address> port )\d+\b", "<port>"),
    (r"(?<=-)[0-9a-f]{8}(?=\.|_|\b)", "<revision>"),
    (r"\b[0-9a-f]{12,128}\b", "<digest>"),
    (r"\b(generation|generations) \d+(?:(?:, | and )\d+)*", r"\1 <n>"),
    (r"(?<=/generations/)\d+\b", "<n>"),
    (r"\bskerry-activate-\d+", "skerry-activate-<n>"),
    (r"(?<=/loading/)podman\d+", "podman<n>"),
    # On a machine that is busy it may have been once more by the time of the look.
    (r"(?<=started again )\d+(?= times)", "<n>"),
    (r"\b(pid|PID|process) \d+", r"\1 <pid>"),
    (r"(?<=\w)\[\d+\](?=:| [A-Z])", "[<pid>]"),
    # Sent is what is not there yet: that of earlier tests may be.
    (r", \d+(?:\.\d+)? (?:k|M|G)?B sent\b", ""),
    (r"\bin \d+ s(?=,)", "in <seconds> s"),
    (r"\b\d+\.\d+ s\b", "<seconds> s"),
    (r"(?:(?<=\()|(?<=, ))([a-z-]+) \d+\.\d\d(?=[,)\s])", r"\1 <seconds>"),
)


def normalise(text: str) -> str:
    """The text without what differs from run to run; what nodes that work at the same time say
    is in the order of their names."""
    for pattern, replacement in _PATTERNS:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in _in_order(text.strip("\n").splitlines()))


def _in_order(lines: list[str]) -> Iterator[str]:
    """Lines of nodes that follow each other, by node; what one node says keeps its order."""
    waiting: list[tuple[str, list[str]]] = []
    for line in lines:
        if waiting and line.startswith(_CONTINUED):
            waiting[-1][1].append(line)
            continue
        node = _node_of(line)
        if node:
            waiting.append((node, [line]))
            continue
        yield from _flushed(waiting)
        waiting = []
        yield line
    yield from _flushed(waiting)


def _flushed(waiting: list[tuple[str, list[str]]]) -> Iterator[str]:
    for _, lines in sorted(waiting, key=lambda one: one[0]):
        yield from lines


def _node_of(line: str) -> str:
    """The node that a line of progress or an error is about; empty for every other line."""
    found = re.match(r"  ([a-z][a-z0-9-]*) +\S", line) or re.match(
        r"error: ([a-z][a-z0-9-]*): ", line
    )
    return found[1] if found else ""


def recording_name(test: str) -> str:
    """The file of a test's recording, by the test's name with its parameters, if any."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip("-") + ".txt"


class Seen:
    """What a test's person sees, part by part."""

    def __init__(self, test: str, folder: Path = FOLDER, *, is_recording: bool, words: str) -> None:
        self.path = folder / recording_name(test)
        self.is_recording = is_recording
        self.words = words
        self.parts: list[str] = []

    def __call__(self, text: str, *, typed: str = "") -> None:
        """Asserts that the text is the next part of the recording.

        `typed` is the command that said it, shown before it. Raises AssertionError for other
        words, for a traceback, and where there is no recording, with the command that makes one.
        """
        __tracebackhide__ = True
        assert _TRACEBACK not in text, f"a person saw a traceback:\n{text}"
        part = normalise(text)
        assert part, "nothing was said"
        self.parts.append(f"$ {typed}\n{part}" if typed else part)
        if self.is_recording:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self.path.with_suffix(".new")
            unfinished.write_text(self._text())
            unfinished.replace(self.path)
            return
        recorded = self._recorded()
        so_far = self._text()
        if recorded != so_far and not recorded.startswith(so_far + "\n"):
            length = recorded[: len(so_far) + 1].count("\n")
            raise AssertionError(self._difference(recorded, so_far, length))

    def check_whole(self) -> None:
        """Asserts that nothing of the recording is missing."""
        if self.parts and not self.is_recording:
            recorded = self._recorded()
            assert recorded == self._text(), self._difference(recorded, self._text())

    def _text(self) -> str:
        return "\n\n".join(self.parts) + "\n"

    def _recorded(self) -> str:
        try:
            return self.path.read_text()
        except FileNotFoundError:
            raise AssertionError(
                f"what is seen here is not recorded yet: `{self.words}` writes {self.path.name}; "
                f"read it, and commit it. Said was:\n{self._text()}"
            ) from None

    def _difference(self, recorded: str, said: str, length: int | None = None) -> str:
        shown = recorded.splitlines()[:length]
        lines = unified_diff(shown, said.splitlines(), "recorded", "said", lineterm="")
        changed = "\n".join(lines)
        return f"not what was recorded; if it is better, `{self.words}`:\n{changed}"


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Asserts that a person sees what was recorded: ``seen(finished.error_text)``."""
    nodeid = request.node.nodeid
    one = Seen(
        request.node.name,
        is_recording=request.config.getoption(OPTION),
        words=f".venv/bin/python -m pytest '{nodeid}' -p no:xdist {OPTION}",
    )
    yield one
    # A test that failed broke off before its last words.
    if not request.node.stash.get(HAS_FAILED, False):
        one.check_whole()
