"""The count of round trips on the wire: what follows from an answer is another trip, what does not
is none, however much it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench.measure import RunFailed
from bench.trips import RELAY, LongWay, count_trips, figures_of

from skerry.edge.run import Command

# Greets, and answers each line.
FAR = "echo hello; while read -r line; do echo $line; done"


@contextmanager
def conversation(notes: Path, delay: float) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody at the other end of a relay, and the relay's notes."""
    words = (sys.executable, "-S", str(RELAY), str(delay), str(notes), "sh", "-c", FAR)
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, bufsize=0) as process:
        yield process


def ask(process: subprocess.Popen[bytes], *lines: bytes) -> None:
    """Says all of these at once, and waits for the answers."""
    assert process.stdin is not None
    process.stdin.write(b"".join(lines))
    hear(process, b"".join(lines))


def hear(process: subprocess.Popen[bytes], expected: bytes) -> None:
    """Waits until just that has come."""
    assert process.stdout is not None
    heard = b""
    while len(heard) < len(expected):
        heard += process.stdout.read(len(expected) - len(heard))
    assert heard == expected


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_one_question_after_the_other_is_a_trip_each(tmp_path: Path, delay: float) -> None:
    with conversation(tmp_path, delay) as process:
        hear(process, b"hello\n")
        (notes,) = tmp_path.iterdir()
        assert count_trips(notes) == 0
        ask(process, b"one\n")
        assert count_trips(notes) == 1
        ask(process, b"two\n")
        ask(process, b"three\n")
        assert count_trips(notes) == 3


def test_what_is_asked_at_once_is_one_trip(tmp_path: Path) -> None:
    with conversation(tmp_path, 0.05) as process:
        hear(process, b"hello\n")
        ask(process, *[b"%d\n" % number for number in range(100)])
        (notes,) = tmp_path.iterdir()
        assert count_trips(notes) == 1


def test_a_command_is_counted_on_its_slowest_connection(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("Host alpha\n    ProxyCommand nsenter socat -\n")
    way = LongWay.make(tmp_path, source, 0.05)
    one, other = way.notes / "1", way.notes / "2"
    one.write_text("1.5 1\n2.5 2\n")
    other.write_text("")
    command = f"echo 3.5 3 >>{one}; echo 3.5 1 >>{other}; echo 3.6 2 >>{other}"
    assert way.count(Command.of("sh", "-c", command)) == 2
    with pytest.raises(RunFailed):
        way.count(Command.of("false"))
    with pytest.raises(RunFailed, match="new connections"):
        way.count(Command.of("touch", str(way.notes / "3")))


@pytest.mark.parametrize(("ours", "goals"), [(2, [True, True, True]), (3, [False, True, False])])
def test_a_second_trip_of_ours_misses_the_goal(ours: int, goals: list[bool]) -> None:
    figures = figures_of(ours, plain=2, opening=1)
    assert [figure.ok for figure in figures] == goals
    assert figures[-1].ours == ours - 1
