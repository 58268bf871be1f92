"""Logs: the question to journalctl, its JSON, times, the merge, and what a terminal gets."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.errors import UsageError
from skerry.observe.following import Reorder
from skerry.observe.journal import (
    JournalQuery,
    Line,
    Source,
    compile_journal_command,
    for_all_revisions,
    sources_of_units,
    try_parse_entry,
)
from skerry.observe.moments import parse_moment
from skerry.observe.root import root_command
from skerry.render.logs import LogRenderer, render_line_json
from skerry.render.text import Palette
from tests.unit.wire_examples import unit_entry

BLOG = Source(workload="blog", node="alpha", replica=0)
SOURCES = {"skerry-blog.0.service": BLOG}
NOW = datetime(2026, 11, 21, 12, 0, 0).astimezone().timestamp()


def entry(**fields: object) -> bytes:
    """A line as journalctl prints it."""
    usual = {
        "__REALTIME_TIMESTAMP": "1795250827000001",
        "__CURSOR": "s=1;i=2",
        "_SYSTEMD_UNIT": "skerry-blog.0.service",
        "PRIORITY": "6",
        "MESSAGE": "hello",
    }
    return json.dumps({**usual, **fields}).encode() + b"\n"


def line(microseconds: int, message: str = "", source: Source = BLOG) -> Line:
    """A line that says `message`."""
    return Line(microseconds=microseconds, source=source, message=message)


def test_the_command() -> None:
    query = JournalQuery(since=1.5, until=2.0, lines=7, pattern="a b")
    words = compile_journal_command(["a.service", "b.service"], query)
    assert words[0] == "journalctl"
    assert {"--since=@1.500000", "--until=@2.000000", "--lines=7", "--grep=a b"} < set(words)
    assert words[-2:] == ("--unit=a.service", "--unit=b.service")
    assert "--grep='a b'" in root_command(words) or "'--grep=a b'" in root_command(words)


def test_following_goes_on_behind_the_cursor_and_not_since_a_time() -> None:
    query = JournalQuery(since=1.5, follow=True)
    words = compile_journal_command(["a.service"], query, after="s=1;i=2")
    assert {"--follow", "--no-tail", "--after-cursor=s=1;i=2"} < set(words)
    assert not [word for word in words if word.startswith(("--since", "--lines"))]


def test_an_entry() -> None:
    parsed = try_parse_entry(entry(), SOURCES)
    assert parsed == Line(
        microseconds=1795250827000001, source=BLOG, message="hello", cursor="s=1;i=2"
    )


def test_what_podman_and_programs_say_is_kept() -> None:
    for fields in (
        {"_COMM": "podman", "MESSAGE": "Error: no"},
        {"_COMM": "sh", "MESSAGE": "a" * 64},
    ):
        assert try_parse_entry(entry(**fields), SOURCES) is not None


def test_systemd_speaks_about_the_unit() -> None:
    about = entry(_SYSTEMD_UNIT="init.scope", UNIT="skerry-blog.0.service", PRIORITY="3")
    parsed = try_parse_entry(about, SOURCES)
    assert parsed is not None
    assert (parsed.from_systemd, parsed.priority, parsed.source) == (True, 3, BLOG)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ([104, 105, 255], "hi\ufffd"),
        (["first", "second"], "first"),
        ([[104, 105], "second"], "hi"),
        (None, ""),
        ([], ""),
    ],
)
def test_messages_of_every_form(message: object, text: str) -> None:
    parsed = try_parse_entry(entry(MESSAGE=message), SOURCES)
    assert parsed is not None
    assert parsed.message == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-- No entries --\n",
        b"[]\n",
        entry(_SYSTEMD_UNIT="ssh.service"),
        entry(PODMAN_EVENT="start"),
        entry(_COMM="podman", MESSAGE="a" * 64),
        entry(__REALTIME_TIMESTAMP="soon"),
    ],
)
def test_what_is_no_entry_of_ours_is_left_out(text: bytes) -> None:
    assert try_parse_entry(text, SOURCES) is None


def test_labels_name_replica_and_container_only_where_there_are_several() -> None:
    units = {
        "one": unit_entry(workload="one", container="web"),
        "two.0": unit_entry(workload="two", container="web"),
        "two.1": unit_entry(workload="two", container="web", replica=1),
        "pod": unit_entry(workload="pod", container=""),
        "pod.a": unit_entry(workload="pod", container="a"),
    }
    labels = {unit: one.label for unit, one in sources_of_units("alpha", units).items()}
    assert labels == {
        "one": "one/alpha",
        "two.0": "two.0/alpha",
        "two.1": "two.1/alpha",
        "pod": "pod/alpha",
        "pod.a": "pod/alpha/a",
    }


@pytest.mark.parametrize(
    ("text", "seconds_ago"),
    [
        ("10m", 600),
        ("-10m", 600),
        ("10 min ago", 600),
        ("2h30m", 9000),
        ("3d", 3 * 86400),
        ("1w", 7 * 86400),
        ("now", 0),
        ("today", 12 * 3600),
        ("yesterday", 36 * 3600),
        ("08:30", 3.5 * 3600),
        ("08:30:30", 3.5 * 3600 - 30),
        ("2026-11-21", 12 * 3600),
        ("2026-11-20 12:00:00", 86400),
    ],
)
def test_moments(text: str, seconds_ago: float) -> None:
    assert parse_moment(text, NOW) == NOW - seconds_ago


def test_moments_with_a_zone_and_of_the_epoch() -> None:
    assert parse_moment("@1700000000.5", NOW) == 1700000000.5
    assert parse_moment("2023-11-14T22:13:20+00:00", NOW) == 1700000000


@pytest.mark.parametrize("text", ["", "soon", "10", "10x", "25:00", "@", "2026-13-01", "@1e400"])
def test_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="is no point in time"):
        parse_moment(text, NOW)


def test_lines_come_out_by_time_once_they_have_waited() -> None:
    reorder = Reorder(0.3)
    reorder.add(line(20, "late"), now=10.0)
    assert reorder.take(10.1) == []
    assert reorder.wait(10.1) == pytest.approx(0.2)
    reorder.add(line(10, "early"), now=10.2)
    reorder.add(line(30, "young"), now=10.2)
    assert [one.message for one in reorder.take(10.3)] == ["early", "late"]
    assert [one.message for one in reorder.take(10.5)] == ["young"]
    assert reorder.wait(11.0) is None


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 0.29)), max_size=30))
def test_delays_below_the_window_never_show(times: list[tuple[int, float]]) -> None:
    arrivals = sorted((at + delay, at) for at, delay in times)
    reorder, shown = Reorder(0.3), []
    for now, at in arrivals:
        reorder.add(line(int(at * 1_000_000)), now)
        shown += [one.microseconds for one in reorder.take(now)]
    shown += [one.microseconds for one in reorder.take(float("inf"))]
    assert shown == sorted(shown)
    assert len(shown) == len(times)


def test_a_line_cannot_command_the_terminal_nor_fake_another_line() -> None:
    renderer = LogRenderer(Palette(is_on=False))
    evil = "a\x1b]0;title\x07b\rc\x9b2Jd\u202e\nsecond"
    first, second = renderer.render_line(line(0, evil)).split("\n")
    assert first.endswith(" blog/alpha a\\x1b]0;title\\x07b\\rc\\x9b2Jd\\u202e")
    assert second.endswith(" blog/alpha second")


def test_sources_have_colours_of_their_own() -> None:
    renderer = LogRenderer(Palette(is_on=True))
    other = Source(workload="blog", node="beta", replica=0)
    first = renderer.render_line(line(0, "x"))
    second = renderer.render_line(line(0, "x", other))
    assert "\x1b[36mblog/alpha" in first
    assert "\x1b[32mblog/beta" in second


def test_json_lines_are_one_line_each_of_plain_ascii() -> None:
    shown = render_line_json(line(1_700_000_000_000_001, "a\nb\x9b"))
    assert shown.isascii()
    assert "\n" not in shown
    assert json.loads(shown) == {
        "time": "2023-11-14T22:13:20.000001+00:00",
        "microseconds": 1_700_000_000_000_001,
        "workload": "blog",
        "node": "alpha",
        "replica": 0,
        "container": "",
        "priority": 6,
        "from_systemd": False,
        "message": "a\nb\x9b",
    }


def test_earlier_revisions_of_a_unit_speak_for_the_same_replica() -> None:
    unit = "skerry-web.0-11111111.service"
    command = compile_journal_command([unit], JournalQuery())
    assert command[-2:] == (f"--unit={unit}", "--unit=skerry-web.0-????????.service")
    source = Source(workload="web", node="alpha", replica=0)
    entry = {"_SYSTEMD_UNIT": "skerry-web.0-22222222.service", "MESSAGE": "before"}
    entry["__REALTIME_TIMESTAMP"] = "1000000"
    text = json.dumps(entry).encode()
    assert try_parse_entry(text, {unit: source}) is None
    line = try_parse_entry(text, for_all_revisions({unit: source}))
    assert line is not None
    assert (line.source, line.from_systemd) == (source, False)
