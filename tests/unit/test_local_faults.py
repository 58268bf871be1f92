"""Files that are whole or not there, and clocks that do not agree."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from skerry.compile.lock import Lock
from skerry.errors import MachineRefuses
from skerry.load.lockfile import read_lock, write_lock
from skerry.observe.clock import clock_notes


def test_a_lock_that_finds_no_room_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lock(tmp_path, Lock(claims={"one": "alpha"}))

    def fails(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(MachineRefuses, match="No space left"):
        write_lock(tmp_path, Lock(claims={"two": "beta"}))
    assert read_lock(tmp_path).claims == {"one": "alpha"}
    assert [path.name for path in tmp_path.iterdir()] == ["cloud.lock"]


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        (0, None),
        (100, None),
        (-100, None),
        (365 * 86400, "365 days ahead of"),
        (-365 * 86400, "365 days behind"),
        (7200, "2 hours ahead of"),
        (-86400, "1 day behind"),
        (180, "3 minutes ahead of"),
    ],
)
def test_clocks_that_do_not_agree_are_told(apart: int, words: str | None) -> None:
    notes = clock_notes({"time": 1_790_000_000.0 + apart}, 1_790_000_000.0)
    assert len(notes) == (words is not None)
    assert words is None or words in notes[0]


def test_a_node_that_tells_no_time_is_not_told_of() -> None:
    assert clock_notes({}, 1.0) == []
