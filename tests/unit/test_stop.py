"""Signals: the first is noted where something is to be given back, the second one raises."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from skerry.cli.main import run_command_line
from skerry.edge.run import Command, start
from skerry.edge.stop import (
    SIGNALS,
    Interrupted,
    Stopping,
    as_interrupted,
    end_children,
    interrupted_with,
    listen,
    watch_child,
)


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """What these signals did before."""
    before = {one: signal.getsignal(one) for one in SIGNALS}
    listen()
    yield
    for one, what in before.items():
        signal.signal(one, what)


@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_raises_outside_of_a_block(number: int, status: int) -> None:
    with pytest.raises(Interrupted) as found:
        os.kill(os.getpid(), number)
    assert found.value.status == status


def test_the_first_is_noted_and_the_second_raises(capfd: pytest.CaptureFixture[str]) -> None:
    with Stopping("giving back") as stop:
        assert not stop.is_wanted
        assert select.select([stop], [], [], 0)[0] == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_wanted and select.select([stop], [], [], 0)[0] == [stop]
        assert stop.interrupted("nothing was changed").status == 143
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)
    assert capfd.readouterr().err == "interrupted: giving back\n"
    with pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGINT)


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listen()
    os.kill(os.getpid(), signal.SIGHUP)


def test_the_inner_words_count() -> None:
    with pytest.raises(Interrupted) as found, interrupted_with("outer"), interrupted_with("inner"):
        raise KeyboardInterrupt
    assert found.value.words == "inner"
    assert as_interrupted(None).status == 130


def test_the_status_says_which_signal_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(*_: object, **__: object) -> None:
        with interrupted_with("nothing was changed"):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("skerry.cli.cloud.open_cloud", ends)
    assert run_command_line(["plan"]) == 143
    assert capsys.readouterr().err.strip() == "interrupted: nothing was changed"


def test_children_that_are_watched_end() -> None:
    one = start(Command.of("tail", "-f", "/dev/null"), own_group=True)
    watch_child(one)
    assert os.getpgid(one.pid) == one.pid, "the terminal's Ctrl-C is not for it"
    end_children()
    assert one.wait(10) == -signal.SIGKILL


def test_ctrl_c_while_modules_are_loaded_has_no_traceback() -> None:
    # Raised at the first import of the command line.
    code = (
        "import sys, builtins\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'skerry.cli.main': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from skerry.__main__ import main\nmain()\n"
    )
    ended = subprocess.run((sys.executable, "-c", code), capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, b"interrupted\n")


def test_a_closed_terminal_is_no_error() -> None:
    """Its signal may come after a write that fails; here it never comes."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from skerry.edge.stop import listen\n"
        "listen()\n"
        "print('there', flush=True)\n"
        "os.read(0, 1)\n"
        "for stream in (sys.stdout, sys.stderr):\n"
        "    print('gone', file=stream, flush=True)\n"
        "sys.exit(7)\n"
    )
    shown, terminal = os.openpty()
    child = subprocess.Popen(
        (sys.executable, "-c", code), stdin=subprocess.PIPE, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    assert os.read(shown, 100) == b"there\r\n"
    os.close(shown)
    assert child.stdin is not None
    child.stdin.write(b"x")
    child.stdin.close()
    assert child.wait(timeout=60) == 7
