"""The entry: runs the command line and turns errors into words and exit codes."""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper


def main() -> None:
    """Runs ``skerry`` with the arguments of this process; does not return."""
    from skerry.cli.start import Start

    # Loading makes tens of thousands of objects that stay: to look for garbage among them again and
    # again takes a tenth of the time.
    gc.set_threshold(200_000, 10, 10)
    # Whoever has a umask of 000 shall not get a cloud folder that everybody may write to.
    os.umask(os.umask(0o077) | 0o022)
    if isinstance(sys.stdout, TextIOWrapper):
        # A sign that the terminal's encoding does not have is no reason to say nothing at all.
        sys.stdout.reconfigure(errors="backslashreplace")
    start = Start(sys.argv[1:])
    try:
        status = start.try_answer()
        if status is None:
            from skerry.edge.stop import listen

            listen()
            from skerry.cli.main import run_command_line

            status = run_command_line(sys.argv[1:], start)
    except BrokenPipeError:
        # The reader (head, less) has what it wanted.
        sys.stderr.close()
        status = 0
    except KeyboardInterrupt as error:
        # Nobody else catches it while modules are loaded.
        print("interrupted", file=sys.stderr)
        status = getattr(error, "status", 130)
    except Exception as error:
        from skerry.cli.last_resort import explain, show

        status = show(explain(error, sys.argv[1:]), as_json="--json" in sys.argv)
    finally:
        start.end()
    if status > 128:
        _leave(status)
    sys.exit(status)


def _leave(status: int) -> None:
    """Ends at once: threads may be waiting for nodes, and an ssh for each of them."""
    from skerry.edge.stop import end_children

    end_children()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)


if __name__ == "__main__":
    main()
