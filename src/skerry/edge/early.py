"""ssh commands that are begun before it is known whether they are needed.

While a command's own code is loaded, which takes longer than a round trip, ssh already asks the
nodes what they were asked last time. Whoever then has the same question takes the process over;
what nobody asks for is ended. A question looks and changes nothing.

Imports little: `skerry.edge.run`, the door for everything else, costs more than a node's answer.
"""

from __future__ import annotations

import os
import select
import signal
import time

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import IO

# As subprocess does it: Python ignores these, and children would too.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
_LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT
_CHUNK = 1 << 18
# Whoever has an answer that is longer reads it with more care, in bytes.
_OVERHEARD_MOST = 4 << 20
# How an answer's last line begins (`wire.dump` sorts by name).
_LAST = b'{"event":"result",'


class Early:
    """A running ssh command: what exchanges need of `subprocess.Popen`.

    `sent` is what went to its standard input already, `heard` what came on its standard output:
    whoever takes it over begins with that, and adds what comes then.
    """

    def __init__(
        self, pid: int, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes], sent: bytes
    ) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin
        self.stdout: IO[bytes] | None = stdout
        self.stderr: IO[bytes] | None = stderr
        self.sent = sent
        self.heard = b""
        self.returncode: int | None = None

    def take_heard(self) -> bytes:
        """What was heard, which begins anew: whoever takes it adds it again."""
        heard, self.heard = self.heard, b""
        return heard

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, as Popen has it. Raises `subprocess.TimeoutExpired`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.0005
        while (found := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                import subprocess

                raise subprocess.TimeoutExpired("ssh", timeout or 0.0)
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        return found

    def has_failed(self) -> bool:
        """Whether it has ended without an answer: its connection was lost, for one."""
        if self.returncode is None and os.waitid(os.P_PID, self.pid, _LOOK) is not None:
            self.wait()
        return self.returncode not in (None, 0)

    def kill(self) -> None:
        """Ends it, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ends it and closes all that belongs to it."""
        self.kill()
        self.wait()
        for file in (self.stdin, self.stdout, self.stderr):
            if file is not None:
                file.close()


class Begun:
    """The ssh commands that were begun, each of which may be taken once, by any thread."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, ...], Early] = {}
        self._started: list[Early] = []
        self._is_as_asked = True

    def begin(self, questions: Iterable[tuple[Sequence[str], bytes]]) -> None:
        """Starts commands, and sends each as much of its request as goes without waiting.

        One that waits to be taken is not started again. An empty request is one that is not
        known yet: the node program starts meanwhile.
        """
        for words, request in questions:
            if tuple(words) in self._waiting:
                continue
            started = _try_start(tuple(words), request)
            if started is None:
                return
            self._waiting[tuple(words)] = started
            self._started.append(started)
            self._is_as_asked &= bool(request)

    def has(self, words: tuple[str, ...]) -> bool:
        """Whether a running command of these words waits to be taken."""
        return words in self._waiting

    def waiting(self) -> list[tuple[str, ...]]:
        """The words of the commands that wait to be taken."""
        return list(self._waiting)

    def try_take(self, words: tuple[str, ...], request: bytes) -> Early | None:
        """The running command of these words, if what it was sent is how `request` begins."""
        found = self._waiting.pop(words, None)
        if found is None or found.has_failed() or not request.startswith(found.sent):
            self._is_as_asked = False
            if found is not None:
                found.stop()
            return None
        return found

    def overhear(self, *, late: float, within: float) -> list[bytes] | None:
        """What all were answered, each in one line, in the order in which they were begun.

        None where one has failed, says something else first, takes longer than `within`, or is
        still silent when half of them have answered and then nobody has for `late`, in seconds.
        """
        there = list(self._waiting.values())
        left = {one.stdout.fileno(): one for one in there if one.stdout is not None}
        deadline = time.monotonic() + within
        poll = select.poll()
        for descriptor in left:
            poll.register(descriptor, select.POLLIN)
        while left:
            patience = deadline - time.monotonic()
            if 2 * len(left) <= len(there):
                patience = min(patience, late)
            ready = poll.poll(max(0.0, patience) * 1000)
            if not ready:
                return None
            for descriptor, _ in ready:
                chunk = os.read(descriptor, _CHUNK)
                one = left[descriptor]
                one.heard += chunk
                if not chunk or len(one.heard) > _OVERHEARD_MOST:
                    return None
                if chunk.endswith(b"\n"):
                    poll.unregister(descriptor)
                    del left[descriptor]
        answers = [one.heard for one in there]
        is_whole = all(one.startswith(_LAST) and one.count(b"\n") == 1 for one in answers)
        return answers if is_whole and answers else None

    def heard(self) -> list[bytes]:
        """What was said by each so far, in the order in which they were begun."""
        return [one.heard for one in self._started]

    @property
    def is_as_asked(self) -> bool:
        """Whether all that was asked so far was just what was begun, and nothing is left."""
        return self._is_as_asked and not self._waiting

    def stop(self) -> None:
        """Ends what nobody has taken."""
        while self._waiting:
            self._waiting.popitem()[1].stop()


def is_connected(words: Sequence[str]) -> bool:
    """Whether the ssh command of these words has a connection that seems to stand."""
    option = "ControlPath="
    paths = [word[len(option) :] for word in words if word.startswith(option)]
    return any(os.access(path, os.F_OK) for path in paths)


def _try_start(words: tuple[str, ...], request: bytes) -> Early | None:
    """The command with pipes; None where it cannot be started: who needs it will say why."""
    pipes: list[int] = []
    try:
        for _ in range(3):
            pipes += os.pipe()
    except OSError:
        # Too many files are open.
        for descriptor in pipes:
            os.close(descriptor)
        return None
    reading, stdin, stdout, writing, stderr, errors = pipes
    actions = [
        (os.POSIX_SPAWN_DUP2, reading, 0),
        (os.POSIX_SPAWN_DUP2, writing, 1),
        (os.POSIX_SPAWN_DUP2, errors, 2),
    ]
    try:
        pid = os.posix_spawnp(
            words[0],
            words,
            os.environ,
            file_actions=actions,
            setsigdef=_DEFAULT_SIGNALS,
            # A Ctrl-C on the terminal is not for it: it is ours to say when it ends.
            setpgroup=0,
        )
    except OSError:
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
        return None
    finally:
        for descriptor in (reading, writing, errors):
            os.close(descriptor)
    os.set_blocking(stdin, False)
    try:
        sent = os.write(stdin, request) if request else 0
    except OSError:
        # Full at once, or ended at once: the one who takes it finds out.
        sent = 0
    return Early(
        pid,
        open(stdin, "wb", buffering=0),
        open(stdout, "rb", buffering=0),
        open(stderr, "rb", buffering=0),
        request[:sent],
    )
