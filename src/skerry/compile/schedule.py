"""A schedule of cron to systemd's ``OnCalendar=``.

Source: systemd.time(7) "Calendar Events". Several lines mean the times of any of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection

from skerry.model.schedule import DAY, HOUR, MINUTE, MONTH, Field, Schedule

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def compile_calendar(schedule: Schedule, zone: str) -> list[str]:
    """The calendar events, one or two: where either day will do, one for each kind of day."""
    months = _values(MONTH, schedule.months)
    times = f"{_values(HOUR, schedule.hours)}:{_values(MINUTE, schedule.minutes)}:00 {zone}"
    days, weekdays = _values(DAY, schedule.days), _weekdays(schedule.weekdays)
    if schedule.is_either_day:
        # A weekday field with all seven days in it, or a day field with all, means every day.
        return [f"*-{months}-{days} {times}", f"{weekdays}*-{months}-* {times}"]
    return [f"{weekdays}*-{months}-{days} {times}"]


def _weekdays(values: Collection[int]) -> str:
    if len(values) == 7:
        return ""
    return ",".join(_DAYS[value] for value in sorted(values)) + " "


def _values(field: Field, values: Collection[int]) -> str:
    """Numbers as systemd reads them: all, a step, a range, or a list."""
    found = sorted(values)
    if len(found) == field.most - field.least + 1:
        return "*"
    steps = {after - before for before, after in itertools.pairwise(found)}
    if len(found) > 2 and len(steps) == 1:
        (step,) = steps
        if step > 1 and found[-1] + step > field.most:
            return f"{found[0]:02}/{step}"
        if step == 1:
            return f"{found[0]:02}..{found[-1]:02}"
    return ",".join(f"{value:02}" for value in found)
