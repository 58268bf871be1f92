"""Running a command on this machine while strace(1) watches what it touches."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from skerry.edge.foreground import run_in_foreground
from skerry.edge.run import Command, run
from skerry.errors import CommandMissing, ImageFailed
from skerry.images.slim.strace import read_trace
from skerry.images.slim.syscalls import WRITTEN, traced_calls
from skerry.images.slim.trace import Trace

_STRACE = "strace"
# File systems take the time from a clock that ticks so seldom, in seconds.
_TICK = 0.01
# Longer than any path (PATH_MAX is 4,096), with every character escaped.
_STRINGS = 5 * 4096


class Traced(msgspec.Struct, frozen=True):
    """What a command touched, its exit status, and when it began, in seconds since 1970."""

    trace: Trace
    status: int
    began: float


def trace_command(words: Sequence[str]) -> Traced:
    """Runs a command, with this process's standard streams, and sees what it touches.

    Raises `CommandMissing` where there is no strace or no such command, `ImageFailed` where this
    machine does not let one process watch another.
    """
    began = time.time()
    with tempfile.TemporaryDirectory(prefix="skerry-trace-") as name:
        folder = Path(name)
        command = Command.of(*strace_words(folder / "of"), "--", *words)
        try:
            status = run_in_foreground(command)
        except CommandMissing:
            raise CommandMissing(
                "strace is not installed, and sees what a command touches",
                hint="apt install strace",
            ) from None
        trace = read_folder(folder, folder=str(Path.cwd()))
    if not trace.touched:
        _raise_untraced(words, status)
    return Traced(trace, status, began)


def strace_words(target: Path) -> tuple[str, ...]:
    """The words of strace, which writes to files whose names begin with `target`."""
    return (
        _STRACE, "-ff", "-qq", "-y", "-ttt", "-s", str(_STRINGS), "-e", "signal=none",
        "--decode-pids=pidns", "-e", f"trace={traced_calls()}", "-o", str(target),
    )  # fmt: skip


def read_folder(written: Path, *, folder: str, root: str = "") -> Trace:
    """What strace wrote to ``of.NUMBER`` of a folder. For the others see `read_trace`."""
    files = {int(path.suffix[1:]): path for path in written.glob("of.*")}
    lines = {number: _read_lines(path) for number, path in files.items()}
    return read_trace(lines, folder=folder, root=root)


def drop_made(paths: Iterable[str], traced: Traced) -> list[str]:
    """The paths without those that the command made, as far as the disk knows when that was."""
    unsure = [path for path in paths if next(iter(traced.trace.touched[path])) == WRITTEN]
    made = _made_since(unsure, traced.began)
    return [path for path in paths if path not in made]


def _made_since(paths: Sequence[str], began: float) -> set[str]:
    there = [path for path in paths if os.path.lexists(path)]
    if not there:
        return set()
    # Python does not tell when a file was made; 0 where the file system does not either.
    shown = run(Command.of("stat", "--format=%.9W", "--", *there), check=False)
    times = shown.text.split()
    if len(times) != len(there):
        return set()
    pairs = zip(there, times, strict=True)
    return {path for path, made in pairs if made != "-" and float(made) >= began - _TICK}


def _read_lines(path: Path) -> list[str]:
    return path.read_text(errors="surrogateescape").splitlines()


def _raise_untraced(words: Sequence[str], status: int) -> None:
    import shutil

    if shutil.which(words[0]) is None:
        raise CommandMissing(
            f"the program {words[0]!r} is not installed", hint="or is not in the PATH"
        )
    raise ImageFailed(
        f"strace saw nothing of {words[0]} (status {status})",
        hint="may a process of yours watch another one here? /proc/sys/kernel/yama/ptrace_scope "
        "must not be 3, and a container needs the capability SYS_PTRACE",
    )
