"""An error that nobody expected: a line, a private report without secrets, and exit status 1."""

from __future__ import annotations

import ast
import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.cli import last_resort
from skerry.cli.main import run_command_line
from skerry.edge.leases import Leases
from skerry.model.secret_value import SecretValue
from tests.unit.sources import ROOT, python_files

VALUE = SecretValue(b"hunter2 \xe2\x9c\x93\nsecond line")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reports of these tests lie in a folder of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/skerry/bugs"


def break_check(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Has ``skerry check`` fail with this."""

    def load(*args: object) -> None:
        raise error

    monkeypatch.setattr("skerry.load.cloud.find_cloud_folder", load)


def test_a_bug_is_a_line_and_a_report(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_check(monkeypatch, KeyError("units"))
    assert run_command_line(["check"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    first, hint = said.err.splitlines()
    assert first.startswith("error: this is a bug of Skerry: KeyError in skerry.cli.check:")
    assert first.endswith("  [bug]")
    (report,) = state.iterdir()
    where = f"{report}, which holds no secret"
    assert hint == f"  hint: please report it with {where}; -v shows it here"
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    text = report.read_text()
    assert text.startswith("skerry 0.1.0 check\nPython 3.")
    assert "Traceback (most recent call last):" in text
    assert text.endswith("KeyError: 'units'\n")


def test_it_can_be_seen_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_check(monkeypatch, KeyError("units"))
    assert run_command_line(["-v", "check"]) == 1
    assert "  | Traceback (most recent call last):" in capsys.readouterr().err
    assert run_command_line(["check", "--json"]) == 1
    shown = json.loads(capsys.readouterr().err)
    assert shown["error"] == "bug"
    assert "Traceback" not in shown["detail"]


@pytest.mark.parametrize(
    "message",
    [
        VALUE.reveal().decode(),
        repr(VALUE.reveal()),
        repr(VALUE.reveal().decode()),
        "only the second line",
        "before hunter2 ✓ after",
    ],
)
def test_no_secret_is_in_a_report(state: Path, message: str) -> None:
    error = ValueError(f"cannot use {message}")
    error.__cause__ = KeyError(message)
    text = last_resort.render_report(error, ["exec", "web", "--", "mysql", "-phunter2"])
    assert "hunter2" not in text
    assert "second line" not in text
    assert "[secret]" in text
    assert text.startswith("skerry 0.1.0 exec\n")


def test_a_password_of_the_environment_is_not_in_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_PASSWORD", "correct horse")
    assert "correct horse" not in last_resort.render_report(ValueError("correct horse"), [])


def test_where_no_report_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    break_check(monkeypatch, KeyError("units"))
    assert run_command_line(["check"]) == 1
    assert "its report could not be written (Not a directory): run it again with -v" in (
        capsys.readouterr().err
    )


def test_a_link_in_the_place_of_a_report_is_not_followed(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda *args: "now")
    state.mkdir(parents=True)
    (state / f"bug-now-{os.getpid()}.txt").symlink_to(tmp_path / "precious")
    with pytest.raises(FileExistsError):
        last_resort.write_report("x")
    assert not (tmp_path / "precious").exists()


def test_old_reports_go(state: Path) -> None:
    state.mkdir(parents=True)
    for number in range(30):
        (state / f"bug-20200101-0000{number:02}-1.txt").write_text("")
    last_resort.write_report("x")
    assert len(list(state.iterdir())) == last_resort.KEPT


def test_what_the_machine_refuses_is_no_bug(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_check(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/x/\x1b[2Jlock"))
    assert run_command_line(["check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: /x/\\x1b[2Jlock: No space left on device  [machine]",
        "  hint: mend that, and run the command again",
    ]
    assert not state.exists()


def test_a_bug_in_a_thread_reaches_who_started_it() -> None:
    def link_of(node: str) -> object:
        raise KeyError(node)

    with (
        pytest.raises(KeyError, match="alpha"),
        Leases(None, link_of, every=0.001) as leases,  # type: ignore[arg-type]
    ):
        leases.hold("alpha")
        while leases._bug is None:
            pass


def test_every_thread_gives_its_errors_to_somebody() -> None:
    """What a thread raises is printed with a traceback, unless it is caught in the thread."""
    for path in python_files("src/skerry"):
        tree = ast.parse(path.read_text())
        names = {
            ast.unparse(word.value).rpartition(".")[2]
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Thread")
            for word in node.keywords
            if word.arg == "target"
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name in names:
                body = [one for one in node.body if not isinstance(one, ast.Expr)]
                assert isinstance(body[0], ast.Try), f"{path.name}: {node.name} catches nothing"
                caught = {ast.unparse(one.type) for one in body[0].handlers if one.type}
                assert caught & {"Exception", "BaseException"}, f"{path.name}: {node.name}"


def test_a_text_that_the_terminal_has_no_signs_for_is_shown_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cloud.yaml").write_text("name: ✓\n")
    finished = subprocess.run(
        (sys.executable, "-m", "skerry", "check"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1:strict", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 2
    assert b"\\u2713" in finished.stdout + finished.stderr
    assert b"Traceback" not in finished.stderr
