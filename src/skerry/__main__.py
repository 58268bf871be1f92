"""The entry: runs the command line and turns errors into words and exit codes."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs ``skerry`` with the arguments of this process; does not return."""
    from skerry.cli.main import run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
