"""The disk fails at every call of the node program in turn; the next apply puts all in order."""

from __future__ import annotations

import builtins
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.node_applies import (
    apply,
    ask,
    is_between,
    left_behind,
    make_old_machine,
    on_this_machine,
    words_of_end,
)
from tests.unit.node_switches import NEW, NEW_UNITS, OLD, OLD_UNITS, raise_if_not

# What a disk without room refuses; removing needs none.
WRITES = ("write", "open", "mkdir", "symlink", "rename", "fsync")
REMOVALS = ("unlink", "rmdir", "chmod", "fchmod", "fchown")
READS = ("listdir", "readlink")
# The error, the calls that fail with it, and words that a person is told.
ERRORS = {
    "full": (errno.ENOSPC, WRITES, "no space left"),
    "quota": (errno.EDQUOT, WRITES, "no space left"),
    "read-only": (errno.EROFS, (*WRITES, *REMOVALS), "mounted read-only"),
    "broken": (errno.EIO, (*WRITES, *REMOVALS, *READS), "the disk fails"),
    "files": (errno.EMFILE, ("open", *READS), "open files"),
    "immutable": (errno.EPERM, ("rename", "unlink"), "chattr -i"),
}
_READLINK = os.readlink


@pytest.fixture(autouse=True)
def without_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls the plug, and the disk of a busy machine syncs slowly."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class Breaker:
    """Lets a number of calls to the machine's disk through; the next one fails, or all others."""

    def __init__(self, root: Path, error: str, lives: int, *, lasts: bool) -> None:
        self.root = str(root)
        self.number, self.calls, _ = ERRORS[error]
        self.lives = lives
        self.lasts = lasts
        self.has_struck = False
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> Breaker:
        for name in self.calls:
            self.patch.setattr(os, name, self.wrap(name, getattr(os, name)))
        if "open" in self.calls:
            self.patch.setattr(builtins, "open", self.wrap("open", builtins.open))
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, as long as the disk bears it."""

        def called(*args: Any, **more: Any) -> Any:
            if self._is_meant(name, *args[:2]):
                if self.lives > 0:
                    self.lives -= 1
                elif self.lasts or not self.has_struck:
                    self.has_struck = True
                    place = args[0] if isinstance(args[0], str) else None
                    raise OSError(self.number, os.strerror(self.number), place)
            return function(*args, **more)

        return called

    def _is_meant(self, name: str, place: Any, mode: Any = "r") -> bool:
        if isinstance(place, int):
            place = path_of(place)
        if not str(place).startswith(self.root):
            return False
        if name != "open" or "listdir" in self.calls:
            return True
        writes = mode & os.O_CREAT if isinstance(mode, int) else set(mode) & set("wa")
        # A file that is there already takes no room by being opened.
        return bool(writes) and (self.number == errno.EROFS or not Path(place).exists())


def path_of(descriptor: int) -> str:
    """What a descriptor of this process is open on; empty where that cannot be told."""
    try:
        return _READLINK(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


@pytest.mark.fault("disk-full-at-every-write", "read-only-root", "file-immutable")
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 23])
@pytest.mark.parametrize(
    ("error", "lasts"),
    [
        ("full", False),
        ("full", True),
        ("quota", True),
        ("read-only", True),
        ("broken", False),
        ("files", False),
        ("immutable", False),
        ("immutable", True),
    ],
)
def test_disk_that_fails_at_any_call_is_said_and_the_next_apply_converges(
    tmp_path_factory: pytest.TempPathFactory,
    error: str,
    lasts: bool,  # noqa: FBT001
    every: int,
) -> None:
    """`lasts`: not that call alone fails, but all after it, those of going back too."""
    _, calls, words = ERRORS[error]
    lives = told = tried = 0
    while True:
        machine = make_old_machine(tmp_path_factory.mktemp("node"))
        entered = dict(machine.entered)
        with on_this_machine(machine), Breaker(machine.root, error, lives, lasts=lasts) as breaker:
            ended = apply(NEW, confirm_within=0.3)
            machine.join()
        if not breaker.has_struck:
            assert ended["result"] == {"state": "active"}
            break
        place = f"call {lives}: {words_of_end(ended)}"
        told += words in words_of_end(ended)
        is_acted = any("--no-block restart" in line for line in machine.log)
        if not is_between(machine):
            # All the way there or all the way back.
            is_new = machine.running == NEW_UNITS
            raise_if_not(machine, *((NEW, NEW_UNITS) if is_new else (OLD, OLD_UNITS)))
        assert is_acted or machine.entered == entered, place
        with on_this_machine(machine):
            if lasts and "unlink" in calls:
                # A lock that cannot be removed becomes stale by itself.
                ask("unlock", force=True)
            again = apply(NEW)
            machine.join()
            assert again["result"]["state"] in ("active", "nothing to change"), (place, again)
            raise_if_not(machine, NEW, NEW_UNITS)
            assert left_behind(machine) == [], place
            assert machine.entered["b.service"] == entered["b.service"], place
            assert apply(NEW)["result"]["state"] == "nothing to change", place
        lives += every
        tried += 1
    # What fails where nothing depends on it (a cache, a temporary file) is not worth a word.
    assert lives > 30, lives
    # Of a sample it may be more: how often is waited, and so which calls are met, is chance.
    assert told > (0.6 if every == 1 else 0.3) * tried, (told, tried)
