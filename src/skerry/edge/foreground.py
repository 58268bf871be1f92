"""A command that has the terminal while it runs, as a shell gives it to what it starts."""

from __future__ import annotations

import signal

from skerry.edge.run import Command, start


def run_in_foreground(command: Command) -> int:
    """Runs a command with this process's standard streams; its exit status, as a shell has it.

    A Ctrl-C is for the command, which may be a server that is ended so: this process goes on then.
    Raises what `start` raises.
    """
    process = start(command, stdin=None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    return 128 - status if status < 0 else status
