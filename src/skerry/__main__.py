"""The entry: runs the command line and turns errors into words and exit codes."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs ``skerry`` with the arguments of this process; does not return."""
    from skerry.cli.main import run_command_line

    # Whoever has a umask of 000 shall not get a cloud folder that everybody may write to.
    os.umask(os.umask(0o077) | 0o022)
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
