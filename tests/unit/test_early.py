"""Questions that are begun early: taken by who asks the same, ended when nobody does."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from skerry.cache.glance import Glance
from skerry.cache.inputs import Inputs
from skerry.cli.flow import begin_changes
from skerry.cli.start import Start
from skerry.edge.early import Begun, Early
from skerry.edge.exchange import begin_exchange, exchange, exchange_command, request_line
from skerry.edge.ssh import Link, control_path
from skerry.errors import NodeUnreachable
from skerry_node import wire

# Notes each start, and answers with the request that it reads.
SSH = f"""#!{sys.executable} -S
import os, sys
with open(os.environ["STARTS"], "a") as file:
    file.write(f"{{os.getpid()}}\\n")
if os.environ.get("FAIL"):
    print(os.environ["FAIL"], file=sys.stderr)
    sys.exit(255)
line = sys.stdin.buffer.readline()
sys.stdout.write('{{"event": "result", "result": {{"time": %d}}}}\\n' % len(line))
"""


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Has `ssh` be a stand-in for the connection; the file that tells of its starts."""
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin/ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("STARTS", str(tmp_path / "starts"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "starts").touch()
    return tmp_path / "starts"


def count(starts: Path) -> int:
    return len(starts.read_text().splitlines())


def wait_for(starts: Path, number: int) -> None:
    deadline = time.monotonic() + 60
    while count(starts) < number:
        assert time.monotonic() < deadline
        os.sched_yield()


def link(name: str = "alpha") -> Link:
    return Link(node=name, target=f"root@{name}", known_hosts="/nowhere")


def begin(request: bytes, name: str = "alpha") -> Begun:
    begun = Begun()
    begun.begin([(exchange_command(link(name)).argv, request)])
    return begun


def test_who_asks_the_same_takes_it_over(starts: Path) -> None:
    request = request_line("ping", {"a": 1})
    begun = begin(request)
    assert exchange(link(), "ping", {"a": 1}, begun=begun) == {"time": len(request)}
    assert count(starts) == 1
    assert begun.is_as_asked
    # It can be taken once.
    assert exchange(link(), "ping", {"a": 1}, begun=begun) == {"time": len(request)}
    assert count(starts) == 2
    assert not begun.is_as_asked


def test_another_request_is_asked_anew(starts: Path) -> None:
    begun = begin(request_line("ping", {"a": 1}))
    request = request_line("ping", {"a": 22})
    assert exchange(link(), "ping", {"a": 22}, begun=begun) == {"time": len(request)}
    assert count(starts) <= 2
    assert not begun.is_as_asked


def test_another_node_is_not_answered_for(starts: Path) -> None:
    begun = begin(request_line("ping", {"a": 1}), "beta")
    assert exchange(link(), "ping", {"a": 1}, begun=begun)
    wait_for(starts, 2)
    assert not begun.is_as_asked
    begun.stop()
    assert all(not is_running(int(pid)) for pid in starts.read_text().split())


def test_a_request_may_come_later(starts: Path) -> None:
    """A folder that was edited: the way to the node is known, the question is not."""
    begun = begin(b"")
    request = request_line("ping", {"a": 1})
    assert exchange(link(), "ping", {"a": 1}, begun=begun) == {"time": len(request)}
    assert count(starts) == 1
    assert not begun.is_as_asked


def test_a_long_request_goes_on_where_it_stopped(starts: Path) -> None:
    """A pipe takes 64 KiB at once; the rest is written by who takes the process."""
    args = {"a": "x" * 1_000_000}
    request = request_line("ping", args)
    begun = begin(request)
    assert exchange(link(), "ping", args, begun=begun) == {"time": len(request)}
    assert count(starts) == 1
    begun = begin(request)
    other = {"a": "x" * 500_000 + "y"}
    assert exchange(link(), "ping", other, begun=begun)["time"] == len(request_line("ping", other))


def test_a_failure_is_told_as_ever(starts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "ssh: connect to host alpha port 22: No route to host")
    with pytest.raises(NodeUnreachable) as late:
        exchange(link(), "ping", {})
    begun = begin(request_line("ping", {}))
    with pytest.raises(NodeUnreachable) as early:
        exchange(link(), "ping", {}, begun=begun)
    assert early.value.message == late.value.message
    assert "No route to host" in early.value.message
    # One that has failed by then is asked once more.
    assert count(starts) in (2, 3)


def test_without_ssh_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    begun = begin(b"{}\n")
    assert begun.try_take(exchange_command(link()).argv, b"{}\n") is None


def test_what_nobody_takes_is_ended(starts: Path) -> None:
    begun = begin(b"")
    wait_for(starts, 1)
    begun.stop()
    assert not is_running(int(starts.read_text()))
    assert begun.try_take(exchange_command(link()).argv, b"") is None


def test_waiting_has_an_end(starts: Path) -> None:
    begun = begin(b"")
    taken = begun.try_take(exchange_command(link()).argv, b"{}\n")
    assert isinstance(taken, Early)
    with pytest.raises(subprocess.TimeoutExpired):
        taken.wait(timeout=0.01)
    taken.stop()
    assert taken.returncode == -9


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_sockets_of_somebody_else_are_not_used(
    starts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who makes the folder of the connections' sockets first could answer for the nodes."""
    cloud = tmp_path / "cloud"
    cloud.mkdir()
    (cloud / "cloud.yaml").write_text("name: home\n")
    words = ("ssh", "--", "alpha")
    Glance(str(cloud)).keep_questions(Inputs(), [(words, b"{}\n")])
    sockets = tmp_path / f"skerry-{os.getuid()}"
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    start = Start(["-C", str(cloud), "plan"])
    start.try_answer()
    assert start.begun is not None and start.begun.try_take(words, b"{}\n") is None
    assert count(starts) == 0
    sockets.chmod(0o700)
    start = Start(["-C", str(cloud), "plan"])
    start.try_answer()
    assert start.begun is not None
    wait_for(starts, 1)
    start.end()


def test_many_are_asked_over_what_stands_already(
    starts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all connections would be made at once, which takes so long that some are given up."""
    cloud = tmp_path / "cloud"
    cloud.mkdir()
    (cloud / "cloud.yaml").write_text("name: home\n")
    sockets = tmp_path / f"skerry-{os.getuid()}"
    sockets.mkdir(mode=0o700)
    words = [("ssh", "-o", f"ControlPath={sockets}/{n}", "--", f"n{n}") for n in range(17)]
    Glance(str(cloud)).keep_questions(Inputs(), [(one, b"{}\n") for one in words])
    for number in range(17):
        start = Start(["-C", str(cloud), "plan"])
        start.try_answer()
        assert start.begun is not None and not start.begun.has(words[0])
        start.end()
        (sockets / str(number)).touch()
    start = Start(["-C", str(cloud), "plan"])
    start.try_answer()
    assert start.begun is not None and all(start.begun.has(one) for one in words)
    start.end()


def test_too_many_open_files_are_no_reason_to_fail(starts: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0) + 8, before[1]))
    try:
        begun = Begun()
        begun.begin([(("sleep", str(60 + n)), b"") for n in range(9)])
        assert not begun.has(("sleep", "68"))
        begun.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_nodes_of_another_folder_are_not_asked(starts: Path, tmp_path: Path) -> None:
    """A folder whose nodes have changed, or that is a copy, is asked about when it is loaded."""
    cloud = tmp_path / "cloud"
    cloud.mkdir()
    (cloud / "cloud.yaml").write_text("name: home\n")
    glance = Glance(str(cloud))
    glance.keep_questions(Inputs(), [(("ssh", "--", "alpha"), b"{}\n")])
    assert glance.questions() == [(("ssh", "--", "alpha"), b"{}\n")]
    (cloud / "cloud.lock").write_text("{}")
    assert glance.questions() == [(("ssh", "--", "alpha"), b"")]
    cloud.rename(tmp_path / "copy")
    assert Glance(str(tmp_path / "copy")).questions() == []
    (tmp_path / "copy").rename(cloud)
    (cloud / "cloud.yaml").write_text("name: Home\n")
    assert glance.questions() == []


def test_what_is_begun_before_the_request_is_known_is_given_it(starts: Path) -> None:
    begun = Begun()
    begin_exchange(link(), begun)
    # It waits already: another one is not started.
    begin_exchange(link(), begun)
    wait_for(starts, 1)
    request = request_line("ping", {"a": 1})
    assert exchange(link(), "ping", {"a": 1}, begun=begun) == {"time": len(request)}
    assert count(starts) == 1
    begun.stop()


def test_the_next_one_is_begun_when_the_request_is_on_its_way(starts: Path) -> None:
    begun = Begun()
    begin_exchange(link(), begun)
    wait_for(starts, 1)
    # The one that waits is taken before the next is begun: it does not count as that.
    on_sent = partial(begin_exchange, link(), begun)
    assert exchange(link(), "ping", {"a": 1}, begun=begun, on_sent=on_sent)
    assert len(begun._waiting) == 1
    wait_for(starts, 2)
    assert exchange(link(), "ping", {"a": 1}, begun=begun)
    assert count(starts) == 2
    begun.stop()


def test_an_observation_that_was_begun_is_taken_whatever_is_known(starts: Path) -> None:
    """The pod that a node runs was edited: another digest is known than when it was begun."""
    begun = Begun()
    begun.begin([(exchange_command(link(), wire.WILL_OBSERVE).argv, b"")])
    begin_exchange(link(), begun)
    wait_for(starts, 2)
    request = request_line("ping", {"a": 1})
    found = exchange(link(), "ping", {"a": 1}, begun=begun, known="0" * 64)
    assert found == {"time": len(request)}
    # Not what was begun for a change.
    assert begun.has(exchange_command(link(), wire.WILL_CHANGE).argv)
    assert count(starts) == 2
    begun.stop()


def begin_after_an_edit(*nodes: str, connected: bool = True) -> Start:
    """A start that has begun to ask these nodes, on which what was edited runs, and one more."""
    start = Start(["apply", "--yes"])
    start.begun = Begun()
    words = {name: exchange_command(link(name), wire.WILL_OBSERVE).argv for name in nodes}
    if connected:
        for name in nodes:
            Path(control_path(link(name))).touch()
    start.begun.begin([(one, b"") for one in words.values()])
    start.begun.begin([(exchange_command(link("other"), "0" * 64).argv, b"{}\n")])
    begin_changes(start)
    return start


def test_what_is_to_push_and_to_activate_starts_while_the_folder_is_loaded(starts: Path) -> None:
    start = begin_after_an_edit("alpha")
    change = exchange_command(link("alpha"), wire.WILL_CHANGE).argv
    assert start.begun is not None and start.ahead is not None
    assert start.begun.has(change) and start.ahead.waiting() == [change]
    assert len(start.begun.waiting()) == 3
    wait_for(starts, 4)
    # What was begun for the next one is there: another is not started for it.
    begin_exchange(link("alpha"), start.ahead)
    taken = [begun.try_take(change, b"{}\n") for begun in (start.begun, start.ahead)]
    pids = {one.pid for one in taken if one is not None}
    start.end()
    assert len(pids) == 2 and count(starts) == 4
    for one in taken:
        assert one is not None
        one.stop()


def test_only_one_node_is_sure_to_be_in_the_first_wave(starts: Path) -> None:
    start = begin_after_an_edit("alpha", "beta")
    assert start.begun is not None and len(start.begun.waiting()) == 5 and start.ahead is None
    start.end()


def test_without_a_connection_nothing_more_is_begun(starts: Path) -> None:
    start = begin_after_an_edit("alpha", connected=False)
    assert start.begun is not None and len(start.begun.waiting()) == 2 and start.ahead is None
    start.end()
    begin_changes(None)
    begin_changes(Start(["apply"]))


def test_nodes_of_an_edited_pod_are_asked_without_what_they_held(tmp_path: Path) -> None:
    pods = tmp_path / "pods"
    pods.mkdir()
    (tmp_path / "cloud.yaml").write_text("name: home\n")
    for name in ("a", "b"):
        (pods / f"{name}.yaml").write_text(name)
    glance = Glance(str(tmp_path))
    questions = [(("ssh", node, digest), b"{}\n") for node, digest in (("x", "0x"), ("y", "0y"))]
    files = {"pods/a.yaml": {0}, "pods/b.yaml": {0, 1}, "pods/lost.yaml": {1}}
    glance.keep_questions(Inputs(), questions, files, "observe")
    assert glance.questions() == questions
    (pods / "a.yaml").write_text("edited")
    assert glance.questions() == [(("ssh", "x", "observe"), b""), (("ssh", "y", "0y"), b"")]
    (pods / "b.yaml").unlink()
    assert [words[-1] for words, _ in glance.questions()] == ["observe", "observe"]
    # What is in no file of a workload may concern any node, or none.
    for name in ("a", "b"):
        (pods / f"{name}.yaml").write_text(name)
    (tmp_path / "cloud.lock").write_text("{}")
    assert glance.questions() == [(words, b"") for words, _ in questions]


def test_what_has_failed_meanwhile_is_not_taken(
    starts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As when the connection is lost: the next exchange makes it again.
    monkeypatch.setenv("FAIL", "Connection reset")
    begun = Begun()
    begin_exchange(link(), begun)
    (waiting,) = begun._waiting.values()
    os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.delenv("FAIL")
    request = request_line("ping", {"a": 1})
    assert exchange(link(), "ping", {"a": 1}, begun=begun) == {"time": len(request)}
    assert count(starts) == 2


def test_what_has_answered_meanwhile_is_taken(starts: Path) -> None:
    request = request_line("ping", {"a": 1})
    begun = begin(request)
    (waiting,) = begun._waiting.values()
    os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)
    assert exchange(link(), "ping", {"a": 1}, begun=begun) == {"time": len(request)}
    assert count(starts) == 1
