"""Schedules of cron as Kubernetes reads them: five fields, or a word such as ``@daily``.

What Kubernetes takes is less than cron(5) of Linux: Sunday is 0 and never 7, and a range does not
wrap around. Where both day fields are restricted, a day that either of them means is meant; a
field that begins with ``*`` or ``?`` does not restrict, unless a step follows.

Sources: Kubernetes "CronJob"; github.com/robfig/cron/v3, ``parser.go`` and ``spec.go``.
"""

from __future__ import annotations

import msgspec

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
# The most days that a month can have.
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class ScheduleFault(ValueError):
    """A text that is no schedule; `hint` says what to write instead, or is empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Field(msgspec.Struct, frozen=True):
    """One of the five fields: what it is called, its bounds, and the names of its values."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The values of each field. `weekdays` count from Sunday, 0.

    With `is_either_day`, a day of `days` or of `weekdays` is meant; else one of both.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either_day: bool


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of month", 1, 31)
MONTH = Field("month", 1, 12, _MONTHS)
WEEKDAY = Field("day of week", 0, 6, _DAYS)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def parse_schedule(text: str) -> Schedule:
    """The schedule that a text means. Raises `ScheduleFault`."""
    text = text.strip()
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone = text.split()[0].partition("=")[2]
        raise ScheduleFault("a time zone has a field of its own", f"timeZone: {zone}")
    if text.startswith("@"):
        if text.startswith("@every"):
            raise ScheduleFault(
                "@every counts from when somebody began to count, which nobody does here",
                "write the times: */15 * * * *",
            )
        if text not in WORDS:
            raise ScheduleFault(f"there is no {text!r}", f"there are {', '.join(WORDS)}")
        text = WORDS[text]
    words = text.split()
    if len(words) != len(FIELDS):
        raise ScheduleFault(
            f"{text!r} has {len(words)} fields, not 5",
            "minute, hour, day of month, month, day of week",
        )
    minutes, hours, days, months, weekdays = (
        parse_field(field, word) for field, word in zip(FIELDS, words, strict=True)
    )
    is_either_day = not _is_open(words[2]) and not _is_open(words[4])
    if not is_either_day and all(min(days) > _LENGTHS[month - 1] for month in months):
        raise ScheduleFault(f"{text!r} never comes: no such month has so many days")
    return Schedule(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        is_either_day=is_either_day,
    )


def parse_field(field: Field, text: str) -> frozenset[int]:
    """The values of one field: a list of values, ranges and steps. Raises `ScheduleFault`."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        if span in ("*", "?"):
            first, last = field.least, field.most
        else:
            first = _parse_value(field, first_text, part)
            # "5/15" begins at 5 and goes on to the end.
            last = first if not dash and not slash else field.most
            if dash:
                last = _parse_value(field, last_text, part)
        if first > last:
            raise ScheduleFault(
                f"{field.name}: {part!r} begins after its end",
                "write it as two: from the first to the last, and from the least on",
            )
        step = 1
        if slash:
            if not step_text.isascii() or not step_text.isdigit() or int(step_text) == 0:
                raise ScheduleFault(f"{field.name}: {part!r} has no step of 1 or more after '/'")
            step = int(step_text)
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _parse_value(field: Field, text: str, part: str) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.least
    if not text.isascii() or not text.isdigit():
        names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise ScheduleFault(
            f"{field.name}: {part!r} is not a number from {field.least} to {field.most}{names}"
        )
    value = int(text)
    if not field.least <= value <= field.most:
        is_sunday = field is WEEKDAY and value == 7
        raise ScheduleFault(
            f"{field.name}: {value} is not from {field.least} to {field.most}",
            "Sunday is 0 for Kubernetes" if is_sunday else "",
        )
    return value


def _is_open(text: str) -> bool:
    """Whether a field of days has no restriction in it: ``*`` or ``?`` without a step."""
    return any(part.split("/")[0] in ("*", "?") and _step(part) <= 1 for part in text.split(","))


def _step(part: str) -> int:
    return int(part.partition("/")[2] or 1)
