"""`skerry secret` as a person meets it: at a terminal, and interrupted in the middle."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.live.lab_harness import wait_until
from tests.live.secret_search import Marker

from skerry.edge.run import Command, run, start

QUESTIONS = (b"Value of db: ", b"Once more: ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cloud folder, and the key of its operator."""
    key = tmp_path / "id"
    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "eva@laptop", "-f", key))
    monkeypatch.setenv("SKERRY_IDENTITY", str(key))
    (tmp_path / "cloud").mkdir()
    (tmp_path / "cloud/cloud.yaml").write_text("name: home\n")
    return tmp_path / "cloud"


def at_terminal(folder: Path, words: Sequence[str], *answers: str) -> tuple[int, str]:
    """Runs `skerry` with a terminal of its own and types an answer to each question; its exit
    status and all that the terminal showed."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execv(sys.executable, (sys.executable, "-m", "skerry", *words))
    shown, waiting = b"", list(answers)
    answered = 0
    while True:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, shown
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            # The terminal's last reader is told of its end by an error.
            break
        if not chunk:
            break
        shown += chunk
        while waiting and sum(map(shown.count, QUESTIONS)) > answered:
            os.write(terminal, waiting.pop(0).encode() + b"\n")
            answered += 1
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(terminal)
    return status, shown.decode()


def skerry(folder: Path, *words: str) -> bytes:
    """What a command prints."""
    return run(Command((sys.executable, "-m", "skerry", *words), cwd=str(folder))).stdout


def test_a_value_is_asked_for_twice_and_not_shown(folder: Path) -> None:
    value = "hunter2 ü"
    status, shown = at_terminal(folder, ("secret", "set", "db"), value, value)
    assert status == 0, shown
    assert "Value of db: " in shown
    assert "Once more: " in shown
    assert "set db in secrets.yaml" in shown
    assert "encrypted to eva@laptop" in shown
    assert "hunter2" not in shown
    assert skerry(folder, "secret", "get", "db").decode() == value
    assert at_terminal(folder, ("secret", "get", "db")) == (0, f"{value}\r\n")


def test_two_different_values_are_not_taken(folder: Path) -> None:
    status, shown = at_terminal(folder, ("secret", "set", "db"), "one", "two", "three", "three")
    assert status == 0, shown
    assert "do not match" in shown
    assert skerry(folder, "secret", "get", "db") == b"three"


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.claims("secret-edited-in-memory")
def test_what_is_edited_goes_however_the_command_ends(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended_by: signal.Signals
) -> None:
    marker = Marker()
    (tmp_path / "value").write_text(marker.text)
    skerry(folder, "secret", "set", "db", "--file", str(tmp_path / "value"))
    (tmp_path / "value").unlink()
    editor, seen = tmp_path / "editor", tmp_path / "seen"
    editor.write_text(
        f'#!/bin/sh\necho "$1 $$" >{seen}.new\nmv {seen}.new {seen}\nexec tail -f "$1"\n'
    )
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    command = Command((sys.executable, "-m", "skerry", "secret", "edit", "db"), cwd=str(folder))
    with open(tmp_path / "out", "wb") as out:
        process = start(command, stdout=out, stderr=out, new_session=True)
    wait_until(seen.exists, 60, "the editor to start")
    path, editor_id = seen.read_text().split()
    assert Path(path).read_text() == marker.text
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert Path(path).parent.stat().st_mode & 0o777 == 0o700
    before = (folder / "secrets.yaml").read_bytes()
    process.send_signal(ended_by)
    if ended_by is signal.SIGINT:
        # Ctrl-C at a terminal goes to the editor too.
        os.kill(int(editor_id), signal.SIGINT)
    wait_until(lambda: not Path(path).parent.exists(), 60, "the file to be gone")
    if ended_by is not signal.SIGINT:
        os.kill(int(editor_id), signal.SIGKILL)
    process.wait(60)
    assert (folder / "secrets.yaml").read_bytes() == before
    assert not list(Path("/dev/shm").glob(f"{Path(path).parent.name}*"))
