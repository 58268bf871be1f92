"""The order of a whole run: files that take long come first, so that no worker is left with one.

pytest-xdist gives whole files to its workers in the order of the collection (`make test` has
`--dist loadfile --no-loadscope-reorder`). How long a file takes was measured in a whole run with
`--record-seconds`; which is known is only the order, so an old figure costs some idle time and no
more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

OPTION = "--record-seconds"
SECONDS = Path(__file__).with_name("seconds.json")
ROOT = SECONDS.parent.parent
# Files below this are not written down: any order of theirs will do.
LEAST = 5


def read_seconds() -> dict[str, int]:
    """How long the files took, by their paths from the repository."""
    found: dict[str, int] = json.loads(SECONDS.read_text())
    return found


def in_order(items: Iterable[pytest.Item], seconds: Mapping[str, int]) -> list[pytest.Item]:
    """The tests of the longest file first; within a file, and of files that nobody has measured,
    as they are."""
    return sorted(items, key=lambda item: -seconds.get(_name(item.path), 0))


def write_seconds(reports: Iterable[object]) -> None:
    """Writes down how long each file took with its fixtures; of no file that did not run."""
    spent = {name: float(known) for name, known in read_seconds().items()}
    ran: dict[str, float] = {}
    for report in reports:
        if isinstance(report, pytest.TestReport):
            file = report.nodeid.partition("::")[0]
            ran[file] = ran.get(file, 0.0) + report.duration
    rounded = {name: round(took) for name, took in (spent | ran).items()}
    kept = {
        name: took
        for name, took in sorted(rounded.items(), key=lambda entry: (-entry[1], entry[0]))
        if took >= LEAST and (ROOT / name).exists()
    }
    SECONDS.write_text(json.dumps(kept, indent=2) + "\n")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
