"""Other programs on the node: the one place that starts them.

`subprocess` would cost 10 ms of every exchange on a small node; `os.posix_spawn` is all of it
that is needed here.
"""

from __future__ import annotations

import os
import select
import time

from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Sequence, Tuple

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}
DEADLINE = 60.0
# Between words of something that takes long, in seconds.
HEARTBEAT = 10.0
# SIGHUP and SIGPIPE by number: `signal` is one more import. We ignore them, children shall not.
_DEFAULT_SIGNALS = (1, 13)


class Finished:
    """What a program left behind: `status` is negative where a signal ended it."""

    def __init__(self, argv: Sequence[str], status: int, stdout: bytes, stderr: bytes) -> None:
        self.argv = argv
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    @property
    def text(self) -> str:
        """Standard output without the last newline."""
        return self.stdout.decode("utf-8", "replace").rstrip("\n")

    @property
    def words(self) -> str:
        """The end of what it complained of, or of its output where it complained of nothing."""
        said = self.stderr.strip() or self.stdout.strip()
        return said.decode("utf-8", "replace")[-4000:]

    def raise_unless_done(self) -> None:
        """Raises NodeFault when the program ended with an error."""
        if self.status != 0:
            raise NodeFault(
                "command-failed",
                "`%s` ended with status %d" % (" ".join(self.argv[:4]), self.status),
                detail=self.words,
            )


class Child:
    """A program that runs. Its output is collected by `finish`."""

    def __init__(self, argv: Sequence[str], *, has_input: bool = False) -> None:
        self.argv = list(argv)
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        ends = [out_end, err_end]
        self.stdin: Optional[int] = None
        actions: List[Tuple[object, ...]] = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        if has_input:
            in_end, self.stdin = os.pipe()
            ends.append(in_end)
            actions = [(os.POSIX_SPAWN_DUP2, in_end, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, out_end, 1), (os.POSIX_SPAWN_DUP2, err_end, 2)]
        self._chunks: Dict[int, List[bytes]] = {out: [], err: []}
        self._out, self._err = out, err
        try:
            self.pid = os.posix_spawnp(
                self.argv[0],
                self.argv,
                ENVIRONMENT,
                file_actions=actions,
                setsigdef=_DEFAULT_SIGNALS,
            )
        except FileNotFoundError:
            for one in (out, err, *([self.stdin] if self.stdin is not None else [])):
                os.close(one)
            raise _missing(self.argv[0]) from None
        finally:
            for one in ends:
                os.close(one)

    def close_input(self) -> None:
        """Tells the program that its input has ended."""
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def has_ended(self, within: float) -> bool:
        """Whether the program has ended; waits for that as many seconds at the most."""
        poll = select.poll()
        # That its output was closed is told unasked.
        poll.register(self._out, 0)
        return bool(poll.poll(within * 1000))

    def leave(self) -> None:
        """Ends the program, unless it has ended: nobody wants to know any more."""
        os.kill(self.pid, 9)
        for one in self._chunks:
            os.close(one)
        os.waitpid(self.pid, 0)

    def finish(
        self,
        deadline: float = DEADLINE,
        say: Optional[Callable[[], None]] = None,
        *,
        tail: Optional[int] = None,
    ) -> Finished:
        """Waits for the end and collects the output, of a long one at least the last `tail` bytes;
        `say` is called now and then.

        Raises NodeFault, with the program killed, when `deadline` seconds have passed.
        """
        self.close_input()
        until = time.monotonic() + deadline
        poll = select.poll()
        for one in self._chunks:
            poll.register(one, select.POLLIN)
        opened = set(self._chunks)
        is_late = False
        while opened and not is_late:
            ready = poll.poll(max(0.0, min(until - time.monotonic(), HEARTBEAT)) * 1000)
            if not ready and say is not None:
                say()
            for one, _ in ready:
                chunk = os.read(one, 65536)
                if chunk:
                    self._chunks[one].append(chunk)
                    if tail is not None:
                        _drop_first(self._chunks[one], tail)
                else:
                    poll.unregister(one)
                    opened.discard(one)
            is_late = time.monotonic() > until
        if is_late:
            os.kill(self.pid, 9)
        for one in self._chunks:
            os.close(one)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if is_late:
            raise NodeFault(
                "command-slow",
                "`%s` did not end within %g s" % (" ".join(self.argv[:4]), deadline),
            )
        return Finished(
            self.argv, status, b"".join(self._chunks[self._out]), b"".join(self._chunks[self._err])
        )


class Commands:
    """Starts programs. Tests put an object of the same shape in its place."""

    def start(self, *argv: str, has_input: bool = False) -> Child:
        """Starts a program. Raises NodeFault (``command-missing``) where there is none."""
        return Child(argv, has_input=has_input)

    def run(self, *argv: str, deadline: float = DEADLINE, tail: Optional[int] = None) -> Finished:
        """Runs a program to its end, whatever its status; see `Child.finish`."""
        return self.start(*argv).finish(deadline, tail=tail)

    def pipe(self, *argv: str, target: int) -> Tuple[int, int]:
        """Starts a program whose output goes to the descriptor `target`.

        Returns the descriptor that is its input, and its process id: the caller writes, closes
        and waits. Whoever reads its output sees whether it was whole.
        """
        there, here = os.pipe()
        try:
            pid = os.posix_spawnp(
                argv[0],
                list(argv),
                ENVIRONMENT,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, there, 0),
                    (os.POSIX_SPAWN_DUP2, target, 1),
                ],
                setsigdef=_DEFAULT_SIGNALS,
            )
        except FileNotFoundError:
            os.close(here)
            raise _missing(argv[0]) from None
        finally:
            os.close(there)
        return here, pid


def _drop_first(chunks: List[bytes], tail: int) -> None:
    """Drops what comes before the last `tail` bytes, as far as whole chunks do."""
    while sum(map(len, chunks[1:])) >= tail:
        del chunks[0]


def _missing(program: str) -> NodeFault:
    return NodeFault(
        "command-missing",
        "%s is not installed" % program,
        hint="`skerry node add` installs what a node needs",
    )
