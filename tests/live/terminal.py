"""A person at a terminal: `skerry` on a real pty, with Ctrl-C, and a window that can be closed."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from threading import Event, Thread

import msgspec
from tests.live.cloud_for_tests import LiveCloud
from tests.live.lab_harness import wait_until

from skerry.edge.run import Command, start

CTRL_C = b"\x03"


class Terminal:
    """One command on a pty of its own; the terminal is the command's controlling one."""

    def __init__(self, cloud: LiveCloud, *words: str) -> None:
        self.cloud = cloud
        self._said = bytearray()
        self._keyboard, slave = os.openpty()
        command = cloud.command(*words)
        # A new session's first process gets the terminal; it becomes the command itself.
        command = msgspec.structs.replace(command, argv=("setsid", "--ctty", *command.argv))
        with os.fdopen(slave, "r+b", 0) as tty:
            self.process = start(command, stdin=tty, stdout=tty, stderr=tty)
        self._is_closed = Event()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """What is on the screen."""
        return self._said.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, words: str, timeout: float = 60) -> None:
        """Waits until these words are on the screen; not for a command that ended without them."""

        def is_over() -> bool:
            if self.process.poll() is not None:
                self._reader.join(10)
                return True
            return words in self.said

        with suppress(AssertionError):
            wait_until(is_over, timeout)
        assert words in self.said, f"{words!r} is not on the screen:\n{self.said}"

    def type(self, keys: bytes) -> None:
        """Types keys; `CTRL_C` is one. A command that is gone hears nothing."""
        with suppress(OSError):
            os.write(self._keyboard, keys)

    def close(self) -> None:
        """Closes the window."""
        self._is_closed.set()
        self._reader.join()
        os.close(self._keyboard)

    def end(self, timeout: float = 120) -> int:
        """Waits for the command's end; its exit status, negative for the signal that killed it."""
        try:
            status = self.process.wait(timeout)
        except TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no end within {timeout:g} s: {self.said}") from None
        if not self._is_closed.is_set():
            # The last words are read when the other side of the terminal is gone.
            self._reader.join(10)
            self.close()
        return status

    def _read(self) -> None:
        while not self._is_closed.is_set():
            if select.select([self._keyboard], [], [], 0.05)[0]:
                try:
                    self._said += os.read(self._keyboard, 65536)
                except OSError:
                    return


def plain(command: Command) -> str:
    """The words of a command as a person types them."""
    return " ".join(("skerry", *command.argv[3:]))


def ssh_left(cloud: LiveCloud) -> list[str]:
    """Processes of ssh that work for a command on this cloud. A connection that stays for the
    next one is none: its title is another one."""
    mark, found = str(cloud.folder / "known_hosts"), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if words.startswith("ssh ") and mark in words:
                found.append(f"{process.name}: {words}")
    return found
