"""The program that runs an exercise: the first process of namespaces of its own, and as root there.

    python -m skerry.images.slim.sandbox REQUEST ANSWER

It lays a copy-on-write view over the root file system, so that what the workload makes is nowhere
else, gives it /proc, /dev and a loopback interface, and runs it there under strace(1). When it
ends, all that it started does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from skerry.edge.asking import is_listened_on, try_ask, try_talk
from skerry.edge.run import Child, Command, run, start
from skerry.errors import CommandFailed, SkerryError
from skerry.images.slim.exercise import Exercise, Outcome, Setting
from skerry.images.slim.tracing import strace_words

_PAUSE = 0.02
# What is printed is shown where something failed; no more than its end, in bytes.
_PRINTED = 4000
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
# Becomes the workload: strace watches it from before it is in the root, where `chroot` shows.
_ENTER = (
    "import os,sys,warnings;a=sys.argv;os.chroot(a[1]);os.chdir(a[2]);"
    "os.setgroups([int(g) for g in a[5].split()]);os.setgid(int(a[4]));os.setuid(int(a[3]));"
    "os.execvp(a[6],a[6:])"
)


class Task(msgspec.Struct, frozen=True):
    """What the sandbox is to do: `work` is an empty folder; in its ``of.*`` is what strace says."""

    root: str
    work: str
    exercise: Exercise
    setting: Setting


class Sandbox:
    """A root file system that is ready to be run in, seen through a layer that takes changes."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.exercise = task.exercise
        self.failures: list[str] = []
        self._printed = Path(task.work, "printed")

    def prepare(self) -> None:
        """Mounts what a container has. All of it goes with the namespace."""
        work, view = Path(self.task.work), self.view
        for name in ("upper", "overlay", "view"):
            (work / name).mkdir()
        layers = f"lowerdir={self.task.root},upperdir={work / 'upper'},workdir={work / 'overlay'}"
        run(Command.of("mount", "-t", "overlay", "-o", layers, "overlay", view))
        for name in ("proc", "dev", "sys", "tmp", "run", "etc"):
            place = view / name
            if not place.is_symlink():
                place.mkdir(exist_ok=True)
        run(Command.of("mount", "-t", "proc", "proc", view / "proc"))
        run(Command.of("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", view / "dev"))
        for name in _DEVICES:
            (view / "dev" / name).touch()
            run(Command.of("mount", "--bind", f"/dev/{name}", view / "dev" / name))
        for name, target in _LINKS.items():
            (view / "dev" / name).symlink_to(f"/proc/self/{target}")
        (view / "dev/shm").mkdir(mode=0o1777)
        (view / "dev/shm").chmod(0o1777)
        # A container's runtime writes these, whatever the image has.
        (view / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 exercise\n")
        (view / "etc/hostname").write_text("exercise\n")
        run(Command.of("hostname", "exercise"))
        run(Command.of("ip", "link", "set", "lo", "up"))

    @property
    def view(self) -> Path:
        """The root that the workload sees."""
        return Path(self.task.work, "view")

    def run(self) -> Outcome:
        """The whole exercise."""
        main = self._start(self.exercise.start) if self.exercise.start else None
        if main is None or self._is_up(main):
            for words in self.exercise.commands:
                self._run_command(words)
            self._ask()
            for name in self.exercise.signals:
                self._signal(main, name)
        if main is not None:
            self._stop(main)
        self._end_all()
        printed = self._printed.read_bytes() if self._printed.exists() else b""
        return Outcome(tuple(self.failures), printed[-_PRINTED:].decode(errors="replace"))

    def _start(self, words: Sequence[str]) -> Child:
        setting = self.task.setting
        variables = [f"{name}={value}" for name, value in setting.env.items()]
        groups = " ".join(map(str, setting.groups))
        user = (str(setting.user), str(setting.group), groups)
        command = Command.of(
            "env", "-i", *variables, *strace_words(Path(self.task.work, "of")), "-D", "--",
            sys.executable, "-I", "-S", "-c", _ENTER, self.view, setting.workdir or "/", *user,
            *words,
        )  # fmt: skip
        with self._printed.open("ab") as printed:
            return start(command, stdout=printed, stderr=printed)

    def _is_up(self, main: Child) -> bool:
        """Waits until all ports are listened on. Else says so."""
        for port in self.exercise.ports():
            if not self._wait(partial(_is_decided, main, port)):
                self.failures.append(f"nothing listened on port {port} within the time")
                return False
        if main.poll() is not None:
            self.failures.append(f"it ended at once, with status {main.returncode}")
            return False
        return True

    def _run_command(self, words: Sequence[str]) -> None:
        process = self._start(words)
        if not self._wait(lambda: process.poll() is not None):
            process.kill()
            self.failures.append(f"no end within the time: {' '.join(words)}")
        elif process.returncode != 0:
            self.failures.append(f"status {process.returncode}: {' '.join(words)}")

    def _ask(self) -> None:
        within = self.exercise.within
        for request in self.exercise.requests:
            wrong = try_ask(
                request.port,
                request.path,
                method=request.method,
                headers=request.headers,
                body=request.body,
                is_tls=request.tls,
                within=within,
            )
            self._note(f"{request.method} {request.path}", wrong)
        for talk in self.exercise.talks:
            wrong = try_talk(talk.port, talk.send, talk.expect, within=within)
            self._note(f"port {talk.port}", wrong)

    def _note(self, what: str, wrong: str) -> None:
        if wrong:
            self.failures.append(f"{what}: {wrong}")

    def _signal(self, main: Child | None, name: str) -> None:
        if main is None:
            return
        main.send_signal(signal.Signals[f"SIG{name}"])
        time.sleep(10 * _PAUSE)
        if main.poll() is not None:
            self.failures.append(f"it ended by SIG{name}, with status {main.returncode}")
        elif self._is_up(main):
            self._ask()

    def _stop(self, main: Child) -> None:
        wanted = signal.Signals[f"SIG{self.exercise.stop}"]
        if main.poll() is not None:
            if not self.failures:
                self.failures.append(f"it ended by itself, with status {main.returncode}")
            return
        main.send_signal(wanted)
        if not self._wait(lambda: main.poll() is not None):
            self.failures.append(f"it did not end by SIG{self.exercise.stop} within the time")
        elif main.returncode not in (0, -wanted, 128 + wanted):
            self.failures.append(f"stopped, it ended with status {main.returncode}")

    def _end_all(self) -> None:
        """Ends all that runs in the root; strace writes the rest of what it saw, and ends too."""
        until = time.monotonic() + self.exercise.within
        while time.monotonic() < until:
            for pid in _processes_in(str(self.view)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    continue
            except ChildProcessError:
                return
            time.sleep(_PAUSE)

    def _wait(self, has_come: Callable[[], bool]) -> bool:
        until = time.monotonic() + self.exercise.within
        while not has_come():
            if time.monotonic() > until:
                return False
            time.sleep(_PAUSE)
        return True


def main(request: str, answer: str) -> int:
    """The program: 0 where the exercise was run, well or not, with how it went in `answer`."""
    task = msgspec.json.decode(Path(request).read_bytes(), type=Task)
    sandbox = Sandbox(task)
    try:
        sandbox.prepare()
        outcome = sandbox.run()
    except (SkerryError, OSError) as error:
        detail = error.detail if isinstance(error, CommandFailed) else ""
        outcome = Outcome((f"the exercise could not be run: {error}",), detail)
    Path(answer).write_bytes(msgspec.json.encode(outcome))
    return 0


def _is_decided(main: Child, port: int) -> bool:
    """Whether a port is listened on, or never will be."""
    return main.poll() is not None or is_listened_on(port)


def _processes_in(root: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "root") == root:  # noqa: PTH115 (as written)
                found.append(int(process.name))
        except OSError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
