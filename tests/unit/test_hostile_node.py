"""A node that is broken or lies: nothing of it crashes, hangs or fills the operator's machine."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from skerry.edge.answers import _NEEDED, parse_event
from skerry.edge.conversation import WORDS_LIMIT, Lines, Patience, TooLong
from skerry.edge.exchange import exchange
from skerry.edge.ssh import run_remote
from skerry.errors import NodeAnswerInvalid, NodeProgramFailed, NodeUnreachable
from skerry.observe.journal import JournalQuery, Source
from skerry.observe.log_streams import JournalStream, NodeLog, read_merged
from tests.unit.fake_ssh import FakeSsh, fake_ssh

__all__ = ["fake_ssh"]

RESULT = b'{"event":"result","result":{"time":5}}'
# A busy machine takes its time; what has no bound takes more than any.
SOON = 30.0


@contextmanager
def soon_and_small(fake: FakeSsh, *, megabytes: float = 200.0) -> Iterator[None]:
    """What is done within ends soon, takes little memory, and leaves no process."""
    tracemalloc.start()
    begun = time.monotonic()
    try:
        yield
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert time.monotonic() - begun < SOON
    assert peak < megabytes * 1e6, f"{peak / 1e6:.0f} MB"
    assert not fake.running()


def test_an_honest_answer(fake_ssh: FakeSsh) -> None:
    fake_ssh.answers(b'{"event":"note","message":"hello"}', RESULT)
    heard: list[object] = []
    assert exchange(fake_ssh.link, "ping", on_event=heard.append) == {"time": 5}
    assert heard == [{"event": "note", "message": "hello"}]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b"Welcome to alpha!", "no event"),
        (b"[]", "no event"),
        (b"{", "Input data was truncated"),
        (b'{"event":"shout"}', "there is no such event"),
        (b"{}", "there is no such event"),
        (b'{"event":null}', "Expected `str`, got `null` - at `$.event`"),
        (b'{"event":"note"}', "the event `note` has no `message`"),
        (b'{"event":"phase","name":"x","seconds":-1}', "Expected `float` >= 0.0 - at `$.seconds`"),
        (b'{"event":"phase","name":"x","seconds":1e999}', "Number out of range - at `$.seconds`"),
        (b'{"event":"phase","name":"x","seconds":NaN}', "JSON is malformed"),
        (b'{"event":"note","message":"\\ud800"}', "Input data was truncated"),
        (b'{"event":"waiting","units":[1]}', "Expected `str`, got `int` - at `$.units[0]`"),
        (b'{"event":"error","id":"x"}', "the event `error` has no `message`"),
        (b'{"event":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"event":"result"}', "the event `result` has no `result`"),
        (b'{"event":"result","result":7}', "Expected `object`, got `int`"),
        (b'{"event":"result","result":{}}', "Object missing required field `time`"),
        (b'{"event":"result","result":{"time":"x"}}', "Expected `float`, got `str` - at `$.time`"),
        (b'{"event":"result","result":{"time":1e15}}', "Expected `float` <= 253402300799"),
        (RESULT + b"\n" + RESULT, "it goes on behind its end"),
    ],
)
@pytest.mark.claims("hostile-node-bounded")
def test_what_the_node_program_never_says(fake_ssh: FakeSsh, line: bytes, place: str) -> None:
    fake_ssh.answers(line)
    with soon_and_small(fake_ssh), pytest.raises(NodeAnswerInvalid) as caught:
        exchange(fake_ssh.link, "ping")
    assert caught.value.node == "alpha"
    assert "the answer to `ping` is none of the node program's: " in caught.value.message
    assert place in caught.value.message
    assert caught.value.hint


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(fake_ssh: FakeSsh) -> None:
    fake_ssh.answers(b'{"event":"error","id":"x","message":"in /a\xffb"}')
    with pytest.raises(NodeProgramFailed, match="in /a\ufffdb"):
        exchange(fake_ssh.link, "ping")


NOTE = '{"event":"note","message":"%s"}\\n'


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("all_out(1, b'x' * 65536, 10**9)", NodeAnswerInvalid, "more than 64 MiB"),
        (
            f"all_out(1, b'{NOTE % ('x' * 2000)}' * 30, 10**9)",
            NodeAnswerInvalid,
            "more than 64 MiB",
        ),
        (
            f"while True: say('{NOTE % 'x'}'); time.sleep(0.01)",
            NodeUnreachable,
            "no end after 5 s during ping",
        ),
        ("while True: os.write(2, b'x' * 65536)", NodeUnreachable, "no end after 5 s during ping"),
    ],
)
@pytest.mark.claims("hostile-node-bounded")
def test_endless(fake_ssh: FakeSsh, source: str, error: type[Exception], words: str) -> None:
    fake_ssh.says(source)
    with soon_and_small(fake_ssh), pytest.raises(error, match=words):
        exchange(fake_ssh.link, "ping", deadline=20, within=5)


@pytest.mark.parametrize(
    "source",
    [
        "time.sleep(1000)",
        "os.close(1); time.sleep(1000)",
        "os.close(1); os.close(2); time.sleep(1000)",
        "while True: say('x'); time.sleep(0.01)",
    ],
)
@pytest.mark.claims("hostile-node-bounded")
def test_silent_or_as_good_as(fake_ssh: FakeSsh, source: str) -> None:
    fake_ssh.says(source)
    with (
        soon_and_small(fake_ssh),
        pytest.raises(NodeUnreachable, match=r"silent for 0.5 s during ping"),
    ):
        exchange(fake_ssh.link, "ping", deadline=0.5)


def test_of_a_flood_of_complaints_the_end_is_kept(fake_ssh: FakeSsh) -> None:
    fake_ssh.says("all_out(2, b'flood ' * 10000, 2000); os.write(2, b'at last'); sys.exit(7)")
    with soon_and_small(fake_ssh, megabytes=5), pytest.raises(NodeProgramFailed) as caught:
        exchange(fake_ssh.link, "ping")
    assert caught.value.detail.endswith("at last")
    assert len(caught.value.detail) <= WORDS_LIMIT


def test_who_holds_the_pipe_for_errors_open_is_not_waited_for(fake_ssh: FakeSsh) -> None:
    """As a multiplexing master does, which outlives its first client."""
    fake_ssh.says(
        f"say({RESULT + bytes([10])!r})\nif os.fork() == 0:\n"
        "    os.close(1)\n    os.close(0)\n    time.sleep(20)"
    )
    begun = time.monotonic()
    assert exchange(fake_ssh.link, "ping") == {"time": 5}
    assert time.monotonic() - begun < 15


def test_a_command_that_prints_without_end(fake_ssh: FakeSsh) -> None:
    fake_ssh.says("all_out(1, b'x' * 65536, 10**9)")
    with (
        soon_and_small(fake_ssh, megabytes=20),
        pytest.raises(NodeAnswerInvalid, match="a command on the node prints more than 4 MiB"),
    ):
        run_remote(fake_ssh.link, "true")
    fake_ssh.says("while True: say('x'); time.sleep(0.01)")
    with soon_and_small(fake_ssh), pytest.raises(NodeUnreachable, match="no answer within 1 s"):
        run_remote(fake_ssh.link, "true", timeout=1)


ENTRY = (
    b'{"__REALTIME_TIMESTAMP":"1000000","_SYSTEMD_UNIT":"u.service","MESSAGE":"x","__CURSOR":"s=1"}'
)


def journal(fake: FakeSsh, *, lines: int | None, silence: float = 5) -> JournalStream:
    """The journal of a node with one unit."""
    source = Source(workload="blog", node="alpha", replica=0)
    log = NodeLog(link=fake.link, sources={"u.service": source})
    return JournalStream(log, JournalQuery(lines=lines), silence=silence)


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("all_out(1, b'x' * 65536, 10**9)", NodeAnswerInvalid, "a line of more than 4 MiB"),
        (f"all_out(1, {ENTRY + bytes([10])!r}, 10**9)", NodeAnswerInvalid, "more than 5 lines"),
        ("time.sleep(1000)", NodeUnreachable, "silent for 5 s during logs"),
        (
            f"say({ENTRY + bytes([10])!r}); os.close(1); time.sleep(1000)",
            NodeUnreachable,
            "no end after 0.5 s during logs",
        ),
    ],
)
def test_logs_without_end(
    fake_ssh: FakeSsh,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr("skerry.observe.log_streams._ENDS_WITHIN", 0.5)
    fake_ssh.says(source)
    with soon_and_small(fake_ssh, megabytes=30), pytest.raises(error, match=words):
        list(journal(fake_ssh, lines=5))


def test_logs_that_nobody_asks_for_wait(fake_ssh: FakeSsh) -> None:
    """Where lines are not bounded nothing is kept: a node that talks for ever is held back."""
    fake_ssh.says(f"all_out(1, {ENTRY + bytes([10])!r} * 1000, 10**9)")
    failed: dict[str, object] = {}
    log = NodeLog(
        link=fake_ssh.link,
        sources={"u.service": Source(workload="blog", node="alpha", replica=0)},
    )
    with soon_and_small(fake_ssh, megabytes=10):
        lines = read_merged([log], JournalQuery(), failed)  # type: ignore[arg-type]
        assert [next(lines).message for _ in range(10_000)] == ["x"] * 10_000
        lines.close()  # type: ignore[attr-defined]
    assert not failed


def test_lines_are_put_together() -> None:
    lines = Lines(10)
    assert lines.feed(b"ab") == []
    assert lines.feed(b"c\n\nde\nf") == [b"abc", b"", b"de"]
    assert lines.rest() == b"f"
    with pytest.raises(TooLong):
        lines.feed(b"0123456789")
    with pytest.raises(TooLong):
        Lines(3).feed(b"abcd\n")


def test_patience_ends_with_silence_and_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    patience = Patience(10, 25)
    assert patience.left() == 10
    now[0] = 9
    patience.note_bytes(4095)
    assert patience.left() == 1
    patience.note_bytes(1)
    assert patience.left() == 10
    now[0] = 18
    patience.note_progress()
    assert patience.left() == 7
    now[0] = 25
    with pytest.raises(TimeoutError, match="no end after 25 s"):
        patience.left()
    assert Patience(None).left() is None


def test_every_event_of_the_node_program_is_known() -> None:
    """A new event must be let through the gate."""
    import re

    from tests.unit.sources import SOURCE

    said = {
        name
        for path in (SOURCE / "skerry_node").glob("*.py")
        for name in re.findall(r'event(?:": |=)"([a-z]+)"', path.read_text())
    }
    # What the switch writes into its file for who follows it.
    assert said - {"healthy", "end"} <= set(_NEEDED)
    assert parse_event("alpha", "x", b'{"event":"progress"}') == {"event": "progress"}
