"""The node program as a process: request in, events out; and the commands that it starts."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from skerry_node import wire
from skerry_node.__main__ import OPS, Sink, answer
from skerry_node.commands import Commands
from skerry_node.fault import NodeFault
from tests.unit.sources import SOURCE


def ask(line: bytes) -> dict[str, Any]:
    """The last event for a request line."""
    return answer(io.BytesIO(line), lambda event: None)


def request(op: str, **args: Any) -> bytes:
    """A request line."""
    return wire.dump({"protocol": 1, "op": op, "args": args, "streams": []}) + b"\n"


def test_result() -> None:
    found = ask(request("ping"))
    assert found["event"] == "result"
    assert abs(found["result"]["time"] - time.time()) < 60


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"protocol": 1, "op": "ping"}',
        b'{"protocol": 2, "op": "ping", "args": {}, "streams": []}',
        b'{"protocol": 1, "op": "__import__", "args": {}, "streams": []}',
    ],
)
def test_what_is_no_request_is_refused(line: bytes) -> None:
    assert ask(line)["id"] == "bad-request"


@pytest.mark.parametrize("word", [wire.WILL_OBSERVE, wire.WILL_CHANGE, "0" * 64])
def test_a_word_on_what_is_to_come_promises_nothing(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request is answered all the same, and none is refused."""
    monkeypatch.setattr("skerry_node.observe.begin_observing", lambda: pytest.fail)
    assert answer(io.BytesIO(request("ping")), lambda event: None, word)["event"] == "result"
    assert answer(io.BytesIO(b""), lambda event: None, word)["id"] == "bad-request"


def test_an_observation_that_has_begun_is_given_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(
        "skerry_node.observe.begin_observing", lambda: lambda args, streams, emit: args
    )
    line = request("observe", text=True)
    found = answer(io.BytesIO(line), lambda event: None, wire.WILL_OBSERVE)
    assert found == {"event": "result", "result": {"text": True}}


def test_every_op_is_there() -> None:
    for module, function in OPS.values():
        loaded = __import__("skerry_node." + module, fromlist=[function])
        assert callable(getattr(loaded, function))


def test_bug_shows_its_traceback() -> None:
    found = ask(request("generation"))
    assert found["id"] == "bug"
    assert "KeyError: 'number'" in found["detail"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk-full"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (OSError(errno.EBADF, "Bad file descriptor"), "bug"),
        (NodeFault("locked", "by eva"), "locked"),
    ],
)
def test_error_of_an_op(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("skerry_node.facts.run_ping", fail)
    assert ask(request("ping"))["id"] == reason


def test_nobody_listening_is_no_error() -> None:
    here, there = os.pipe()
    os.close(here)
    sink = Sink(there)
    sink.emit({"event": "x"})
    assert not sink.is_open
    sink.emit({"event": "y"})
    os.close(there)


def test_process_imports_nothing_slow_for_an_observation() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from skerry_node import __main__, observe; "
        "print([n for n in ('subprocess', 'typing', 'hashlib', 'argparse', 'pathlib', 'signal') "
        "if n in sys.modules])"
    )
    command = (sys.executable, "-I", "-S", "-c", code, str(SOURCE))
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"[]"


def test_process_answers_on_its_standard_output() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from skerry_node.__main__ import main; sys.exit(main())"
    )
    command = (sys.executable, "-I", "-S", "-c", code, str(SOURCE))
    finished = subprocess.run(command, input=request("facts"), capture_output=True, check=True)
    (line,) = finished.stdout.splitlines()
    assert json.loads(line)["result"]["cpus"] >= 1
    refused = subprocess.run(command, input=b"{}\n", capture_output=True, check=False)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["id"] == "bad-request"


def test_command_that_ends() -> None:
    finished = Commands().run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (finished.status, finished.text, finished.words) == (3, "out", "err")
    with pytest.raises(NodeFault, match="status 3") as found:
        finished.raise_unless_done()
    assert found.value.detail == "err"


def test_command_with_more_output_than_a_pipe_holds() -> None:
    finished = Commands().run("sh", "-c", "yes | head -c 300000 >&2; yes | head -c 300000")
    assert (len(finished.stdout), len(finished.stderr)) == (300_000, 300_000)


def test_of_a_long_output_the_end_is_kept() -> None:
    script = "yes | head -c 5000000; echo; echo last"
    finished = Commands().run("sh", "-c", script, tail=200_000)
    assert 200_000 <= len(finished.stdout) < 400_000
    assert finished.text.endswith("y\n\nlast")
    assert len(Commands().run("sh", "-c", script).stdout) == 5_000_006


def test_command_that_is_not_there() -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(NodeFault, match="skerry-none is not installed") as found:
        Commands().run("skerry-none", "x")
    assert found.value.id == "command-missing"
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_command_that_does_not_end_is_killed() -> None:
    started = time.monotonic()
    with pytest.raises(NodeFault, match=r"did not end within 0\.1 s"):
        Commands().run("sleep", "60", deadline=0.1)
    assert time.monotonic() - started < 10


def test_command_that_takes_long_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skerry_node.commands.HEARTBEAT", 0.01)
    told: list[int] = []
    reader, writer = os.pipe()
    child = Commands().start("cat", f"/proc/{os.getpid()}/fd/{reader}")

    def say() -> None:
        told.append(1)
        if len(told) == 3:
            os.close(writer)

    assert child.finish(30.0, say).status == 0
    os.close(reader)
    assert len(told) >= 3


def test_no_memory_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("skerry_node.facts.run_ping", fail)
    assert ask(request("ping"))["id"] == "node-exhausted"


def test_command_gets_a_clean_environment() -> None:
    text = Commands().run("env").text
    assert {line.partition("=")[0] for line in text.splitlines()} <= {
        "PATH", "LC_ALL", "HOME", "PWD", "_", "SHLVL",
    }  # fmt: skip


def test_signals_that_are_ignored_here_are_not_for_children() -> None:
    # Python ignores SIGPIPE; a child that did so too would never end.
    assert Commands().run("sh", "-c", "kill -PIPE $$; echo alive").status == -13
