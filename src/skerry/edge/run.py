"""The one door to subprocesses on the operator's machine."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, TypeAlias

import msgspec

from skerry.errors import CommandFailed, CommandMissing

# For the streams of `start`: the caller reads or writes them.
PIPE = subprocess.PIPE
# What `start` gives.
Child: TypeAlias = "subprocess.Popen[bytes]"


class Command(msgspec.Struct, frozen=True):
    """A program with its arguments: a value that is built anywhere and executed here."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str | None = None

    @classmethod
    def of(cls, *argv: str | os.PathLike[str], **env: str) -> Command:
        """A command of these words, with these variables added to the environment."""
        return cls(tuple(os.fspath(word) for word in argv), tuple(sorted(env.items())))

    def __str__(self) -> str:
        return shlex.join(self.argv)

    def environment(self) -> dict[str, str] | None:
        """The whole environment for the child, or None for ours unchanged."""
        return {**os.environ, **dict(self.env)} if self.env else None


class Finished(msgspec.Struct, frozen=True):
    """What a command left behind."""

    command: Command
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text without its last newline."""
        return self.stdout.decode(errors="replace").rstrip("\n")

    @property
    def error_text(self) -> str:
        """Standard error as text without its last newline."""
        return self.stderr.decode(errors="replace").rstrip("\n")


def run(
    command: Command,
    *,
    input: bytes | IO[bytes] | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> Finished:
    """Runs `command` to its end and returns what it printed.

    `input` is sent to standard input (bytes, or an open file); without it standard input is
    /dev/null. `timeout` is in seconds. Raises `CommandMissing` where there is no such program,
    `CommandFailed` when it runs out of time or, with `check`, ends with a status other than 0.
    """
    import tempfile

    # A file and not a pipe: a background child (an ssh master) inherits stderr, and whoever
    # reads a pipe to its end would wait for that child.
    with tempfile.TemporaryFile() as stderr:
        process = start(
            command,
            stdin=subprocess.PIPE if isinstance(input, bytes) else (input or subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        try:
            stdout, _ = process.communicate(
                input if isinstance(input, bytes) else None, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise CommandFailed(f"no end after {timeout:g} s: {command}") from None
        except BaseException:
            process.kill()
            process.wait()
            raise
        stderr.seek(0)
        finished = Finished(command, process.returncode, stdout, stderr.read())
    if check and finished.status != 0:
        raise CommandFailed(
            f"exit status {finished.status}: {command}", detail=finished.error_text[-4000:]
        )
    return finished


def start(
    command: Command,
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    new_session: bool = False,
    own_group: bool = False,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts `command` and returns at once; the caller waits for it or ends it.

    With `own_group` a Ctrl-C on the terminal does not reach it: it is ours to say when it ends.
    Raises `CommandMissing` where there is no such program.
    """
    try:
        return subprocess.Popen(
            command.argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=command.environment(),
            cwd=command.cwd,
            start_new_session=new_session,
            process_group=0 if own_group else None,
            pass_fds=pass_fds,
        )
    except FileNotFoundError as error:
        if command.cwd is not None and error.filename == command.cwd:
            raise CommandFailed(f"no such folder: {command.cwd}") from None
        raise CommandMissing(
            f"the program {command.argv[0]!r} is not installed",
            hint="install it with the system's package manager and try again",
        ) from None
    except PermissionError as error:
        raise CommandFailed(f"may not run {command.argv[0]!r}: {error.strerror}") from None
    except (OSError, ValueError) as error:
        # Too long a command line, a character that none can have, no more processes.
        raise CommandFailed(f"cannot run {command.argv[0]!r}: {error}") from None


def replace(command: Command, *, env: Mapping[str, str] | None = None) -> None:
    """Becomes `command` (for interactive programs: the terminal is handed over whole)."""
    environment = {**os.environ, **dict(command.env), **(env or {})}
    try:
        os.execvpe(command.argv[0], command.argv, environment)
    except FileNotFoundError:
        raise CommandMissing(f"the program {command.argv[0]!r} is not installed") from None
