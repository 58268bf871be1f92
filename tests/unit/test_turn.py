"""A run in a cloud folder inherits what runs there left that are over, and nobody else's."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from skerry.edge import turn
from skerry.edge.turn import NAME, Turn, begin_turn, past_tokens


@pytest.fixture(autouse=True)
def another_process() -> Iterator[None]:
    """What this process holds for a test is given back after it."""
    yield
    end_process()


def end_process() -> None:
    """What the kernel does when a run is over, however that was."""
    for descriptor in turn._held.values():
        os.close(descriptor)
    turn._held.clear()


def begin(cache: Path) -> Turn:
    """A run begins."""
    return begin_turn(cloud="home", who="eva@laptop", message="", cache=cache)


def test_the_next_run_inherits_what_a_dead_one_held(tmp_path: Path) -> None:
    first = begin(tmp_path / "new")
    assert first.inherits == ()
    end_process()
    second = begin(tmp_path / "new")
    assert second.inherits == (first.token,)
    assert second.token != first.token
    assert second.lock_request()["inherits"] == [first.token]
    end_process()
    assert past_tokens(tmp_path / "new") == (first.token, second.token)


def test_a_run_that_is_at_work_is_not_inherited_from(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("")
    at_work = os.open(tmp_path / NAME, os.O_RDWR)
    fcntl.flock(at_work, fcntl.LOCK_EX)
    os.write(at_work, json.dumps({"place": [], "tokens": ["t" * 32]}).encode())
    assert begin(tmp_path).inherits == ()
    assert past_tokens(tmp_path) == ()
    os.close(at_work)


def test_a_process_that_is_killed_gives_way_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from skerry.edge.turn import begin_turn\n"
        "turn = begin_turn(cloud='c', who='w', message='', cache=Path(sys.argv[1]))\n"
        "print(turn.token, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        (sys.executable, "-c", code, str(tmp_path)), stdin=-1, stdout=-1, text=True
    ) as child:
        assert child.stdout is not None
        token = child.stdout.readline().strip()
        assert past_tokens(tmp_path) == ()
        child.kill()
        child.wait()
    assert past_tokens(tmp_path) == (token,)


def test_a_copy_of_the_folder_inherits_nothing(tmp_path: Path) -> None:
    """It says nothing of whether the run is over: nobody holds the copy."""
    first = begin(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / NAME).write_bytes((tmp_path / "one" / NAME).read_bytes())
    assert past_tokens(tmp_path / "two") == ()
    assert begin(tmp_path / "two").inherits == ()
    assert past_tokens(tmp_path / "one") == (first.token,)


def test_another_machine_inherits_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(tmp_path)
    end_process()
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(nodename="another"))
    assert past_tokens(tmp_path) == ()
    assert begin(tmp_path).inherits == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tokens": 3}', '{"place": 1, "tokens": 1}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    first = begin(tmp_path)
    assert first.inherits == ()
    assert past_tokens(tmp_path) == (first.token,)


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert begin(tmp_path / "file").inherits == ()
    assert past_tokens(tmp_path / "file") == ()


def test_it_is_for_its_owner_alone_and_stays_small(tmp_path: Path) -> None:
    for _ in range(20):
        begin(tmp_path)
        end_process()
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert len(past_tokens(tmp_path)) == 8
