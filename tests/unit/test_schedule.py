"""Schedules of cron: read as Kubernetes does, and the same times from systemd as from croniter."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from croniter import croniter

from skerry.compile.schedule import compile_calendar
from skerry.model.schedule import ScheduleFault, parse_schedule

NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there"
)
# Field by field: least, most, names.
BOUNDS = [
    (0, 59, ""), (0, 23, ""), (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 6, "sun mon tue wed thu fri sat"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("* * * * *", ["*-*-* *:*:00 UTC"]),
        ("*/5 * * * *", ["*-*-* *:00/5:00 UTC"]),
        ("3-59/7 0 * * *", ["*-*-* 00:03/7:00 UTC"]),
        ("5/15 2 * * *", ["*-*-* 02:05/15:00 UTC"]),
        ("0-4,30 8-17 * * *", ["*-*-* 08..17:00,01,02,03,04,30:00 UTC"]),
        ("0 0 1 1 *", ["*-01-01 00:00:00 UTC"]),
        ("@weekly", ["Sun *-*-* 00:00:00 UTC"]),
        ("@hourly", ["*-*-* *:00:00 UTC"]),
        ("0 12 * JAN,Dec mon-FRI", ["Mon,Tue,Wed,Thu,Fri *-01,12-* 12:00:00 UTC"]),
        ("0 0 13 * 5", ["*-*-13 00:00:00 UTC", "Fri *-*-* 00:00:00 UTC"]),
        ("0 0 ? * 5", ["Fri *-*-* 00:00:00 UTC"]),
        ("0 0 13 * ?", ["*-*-13 00:00:00 UTC"]),
        # A step restricts: robfig/cron, which Kubernetes uses, takes either day then.
        ("0 0 */9 * 5", ["*-*-01/9 00:00:00 UTC", "Fri *-*-* 00:00:00 UTC"]),
        ("0 0 13 * 0-6", ["*-*-13 00:00:00 UTC", "*-*-* 00:00:00 UTC"]),
    ],
)
def test_calendar(text: str, lines: list[str]) -> None:
    assert compile_calendar(parse_schedule(text), "UTC") == lines


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * *", "has 4 fields, not 5"),
        ("60 * * * *", "minute: 60 is not from 0 to 59"),
        ("* * 0 * *", "day of month: 0 is not from 1 to 31"),
        ("* * * * 7", "day of week: 7 is not from 0 to 6"),
        ("* * * * fri-mon", "begins after its end"),
        ("*/0 * * * *", "no step of 1 or more"),
        ("* * * foo *", "month: 'foo' is not a number from 1 to 12, or jan to dec"),
        ("1,,2 * * * *", "minute: '' is not a number"),
        ("@reboot", "there is no '@reboot'"),
        ("@every 5m", "@every counts from"),
        ("TZ=Europe/Berlin 0 0 * * *", "a time zone has a field of its own"),
        ("0 0 31 2,4 *", "never comes"),
        ("0 0 ² * *", "not a number"),
    ],
)
def test_fault(text: str, words: str) -> None:
    with pytest.raises(ScheduleFault, match=re.escape(words)):
        parse_schedule(text)


def random_field(dice: Random, least: int, most: int, names: str) -> str:
    def value(number: int) -> str:
        return names.split()[number - least] if names and dice.random() < 0.3 else str(number)

    def part() -> str:
        first, last = sorted(dice.sample(range(least, most + 1), 2))
        kind = dice.randrange(5)
        if kind == 0:
            return f"*/{dice.randint(2, 9)}"
        if kind == 1:
            return f"{value(first)}-{value(last)}"
        if kind == 2:
            return f"{first}-{last}/{dice.randint(1, 6)}"
        return value(first)

    if dice.random() < 0.35:
        return "*"
    return ",".join(part() for _ in range(dice.choice([1, 1, 1, 2, 3])))


def systemd_times(lines: list[str], base: datetime, count: int) -> list[datetime]:
    """The next times of any of the calendar events, as systemd itself finds them."""
    found: set[datetime] = set()
    for line in lines:
        words = ("systemd-analyze", "calendar", f"--iterations={count}")
        stamp = f"--base-time=@{int(base.timestamp())}"
        text = subprocess.run(
            (*words, stamp, line),
            env={"TZ": "UTC", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found |= set(_times_in(text))
    return sorted(found)[:count]


def _times_in(text: str) -> Iterator[datetime]:
    for match in re.finditer(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", text):
        yield datetime.fromisoformat(match[1]).replace(tzinfo=UTC)


@NEEDS_SYSTEMD
@pytest.mark.parametrize("seed", range(60))
def test_systemd_and_croniter_agree(seed: int) -> None:
    dice = Random(seed)
    base = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(3_000_000))
    while True:
        text = " ".join(random_field(dice, *bounds) for bounds in BOUNDS)
        try:
            schedule = parse_schedule(text)
            break
        except ScheduleFault as fault:
            assert "never comes" in str(fault)
    reference = croniter(text, base)
    expected = [reference.get_next(datetime) for _ in range(6)]
    lines = compile_calendar(schedule, "UTC")
    assert systemd_times(lines, base, 6) == expected, (text, lines)


@NEEDS_SYSTEMD
def test_systemd_knows_the_zone() -> None:
    lines = compile_calendar(parse_schedule("30 6 * * *"), "Asia/Kathmandu")
    base = datetime(2026, 3, 1, tzinfo=UTC)
    assert systemd_times(lines, base, 1) == [datetime(2026, 3, 1, 0, 45, tzinfo=UTC)]
