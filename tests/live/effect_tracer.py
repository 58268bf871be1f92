"""Runs a program of ours, notes every effect that it has, and stops it before one of them.

It is put around the node program on a lab node (`steps.lay_trace`) and around `skerry` itself, and
stands alone: the standard library, nothing of the tests. What it knows of the program are the
names of its functions at run time, so an effect that is new in the code is a step by itself.

A *place* is the chain of functions of the program that leads to an effect, down to the first one
of a module that is only a means (`_MEANS`). The folder `control` has

    trace        noted here: one line per effect, ``PROCESS TAB PLACE TAB EVENT``
    target       if it is there, what to stop at: a place, and the how-manieth effect of it
    reached      made when that is reached: what it was, and the process

and the program then waits for ``control/go``, or, told to die, kills itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from types import CodeType, FrameType
from typing import Any

# How long it waits to be told to go on, in milliseconds; then it goes on all the same.
PATIENCE = 120_000
# Audit events (docs.python.org/3/library/audit_events.html) that change something outside. A file
# lock is none: the kernel gives it back.
EVENTS = {
    "os.chmod", "os.chown", "os.kill", "os.link", "os.mkdir", "os.posix_spawn",
    "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate", "os.utime",
    "shutil.rmtree", "subprocess.Popen",
}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# The code that is on a command line (`edge/program.py`).
_LINE = "<line>"
_CHANGING = os.O_TRUNC | os.O_EXCL
# Modules by which others have effects: what matters is who calls them, and for what.
_MEANS = {"cache", "commands", "durable", "host", "streams", "run"}


class Tracer:
    """Notes the effects of the functions whose files have `package` in their path."""

    def __init__(self, control: str, package: str, *, is_deadly: bool = False) -> None:
        self.control = control
        self.package = package
        self.is_deadly = is_deadly
        self.is_inside = False
        self.op = ""
        self.counts: dict[str, int] = {}
        self.target = self._read_target()
        self.trace = os.open(f"{control}/trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def start(self) -> None:
        """Listens from now on; for as long as the program lives."""
        written = os.write

        def write(descriptor: int, content: Any) -> int:
            self.note("os.write")
            return written(descriptor, content)

        # There is no audit event for it, and it is what a half-written file comes from.
        os.write = write
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Takes one audit event."""
        if event == "os.mkdir" and os.path.isdir(args[0]):
            # It is only made sure of.
            return
        if event in EVENTS:
            self.note(event)
        elif event == "open" and isinstance(args[2], int) and args[2] & _WRITING:
            path = args[0].decode() if isinstance(args[0], bytes) else str(args[0])
            # What is opened as it is changes when it is written to.
            is_change = args[2] & _CHANGING or not os.path.exists(path)
            if is_change and not path.startswith("/dev/") and "__pycache__" not in path:
                self.note(event)

    def note(self, event: str) -> None:
        """Notes an effect that is about to be, and stops where that is asked for."""
        if self.is_inside:
            return
        chain = chain_of(sys._getframe(1), self.package)
        if not chain:
            return
        place = place_of(chain)
        op = next((name for name in chain if ".run_" in name), "")
        self.op = op or self.op
        if self.op and not op:
            place += f" after {self.op}"
        self.is_inside = True
        try:
            self._reach(place, event)
        finally:
            self.is_inside = False

    def _reach(self, place: str, event: str) -> None:
        count = self.counts[place] = self.counts.get(place, 0) + 1
        os.pwrite(self.trace, f"{os.getpid()}\t{place}\t{event}\n".encode(), 0)
        is_target = self.target is not None and [place, count - 1] == self.target
        if not is_target or os.path.exists(f"{self.control}/reached"):
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            reached = os.open(f"{self.control}/reached.new", flags, 0o600)
        except FileExistsError:
            # Another process was stopped there: one fault is enough.
            return
        os.pwrite(reached, json.dumps({"event": event, "pid": os.getpid()}).encode(), 0)
        os.close(reached)
        os.rename(f"{self.control}/reached.new", f"{self.control}/reached")
        if self.is_deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        left = PATIENCE
        while left > 0 and not os.path.exists(f"{self.control}/go"):
            select.poll().poll(10)
            left -= 10

    def _read_target(self) -> list[Any] | None:
        try:
            with open(f"{self.control}/target") as file:
                found: list[Any] = json.load(file)
        except FileNotFoundError:
            return None
        return found


def chain_of(frame: FrameType | None, package: str) -> list[str]:
    """The functions of the package that lead to a frame, the outermost first. Of the module that
    is the entry none, unless there are no others."""
    names = []
    while frame is not None:
        names.append(name_of(frame.f_code, package))
        frame = frame.f_back
    chain = [name for name in reversed(names) if name]
    return [name for name in chain if not name.startswith("__main__.")] or chain[-1:]


def place_of(chain: list[str]) -> str:
    """A chain of functions down to the first one of a module that is only a means."""
    kept: list[str] = []
    for name in chain:
        # A function that calls itself is one step of the chain.
        if not kept or kept[-1] != name:
            kept.append(name)
        if name.partition(".")[0] in _MEANS:
            break
    return " > ".join(kept)


def name_of(code: CodeType, package: str) -> str:
    """``module.function`` of the package; empty for code of others."""
    if code.co_filename == _LINE:
        return "__main__.line"
    _, found, rest = code.co_filename.rpartition(package)
    if not found or code.co_name.startswith("<"):
        return ""
    return f"{rest.rpartition('/')[2].removesuffix('.py')}.{code.co_name}"


def become(words: list[str], control: str) -> None:
    """Runs the node program as ``python3 -I -S -c CODE ...`` would, under a tracer.

    `words` are those after ``python3``. The interpreter names itself as it was called, so that
    what the program starts with it is traced too.
    """
    code = words[words.index("-c") + 1]
    sys.executable = "/usr/bin/python3"
    sys.argv = ["-c", *words[words.index("-c") + 2 :]]
    Tracer(control, "/skerry_node/").start()
    exec(compile(code, _LINE, "exec"), {"__name__": "__main__"})


def main() -> None:
    """``effect_tracer CONTROL WORDS...`` is ``skerry WORDS...``, killed at the target."""
    import runpy
    from importlib.util import find_spec

    # That of this file: nothing of the tests shall be found by the program.
    sys.path.pop(0)
    spec = find_spec("skerry")
    assert spec is not None and spec.submodule_search_locations
    package = f"{spec.submodule_search_locations[0]}/"
    control = sys.argv[1]
    sys.argv = ["skerry", *sys.argv[2:]]
    Tracer(control, package, is_deadly=True).start()
    runpy.run_module("skerry", run_name="__main__")


if __name__ == "__main__":
    main()
