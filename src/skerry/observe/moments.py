"""Points in time as people give them: ``10m``, ``today``, ``08:30``, ``2026-11-21 08:30``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from skerry.errors import UsageError

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AMOUNT = re.compile(r"(\d+)\s*(min|[smhdw])\s*")
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})(?::(\d{2}))?$")
FORMS = "10m, 2h30m, 3d, today, yesterday, 08:30, 2026-11-21, 2026-11-21 08:30:00, @EPOCH"


def parse_moment(text: str, now: float) -> float:
    """The point in time that `text` means, in seconds since 1970.

    `now` is the same for what is relative: a duration means that long ago. A time without a zone
    is in the operator's own. Raises `UsageError` for what is none of `FORMS`.
    """
    word = text.strip().lower().removesuffix("ago").strip().removeprefix("-")
    here = datetime.fromtimestamp(now).astimezone()
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": here, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if word in named:
        return named[word].timestamp()
    amounts = _AMOUNT.findall(word)
    if amounts and not _AMOUNT.sub("", word):
        return now - sum(int(count) * _UNITS[unit] for count, unit in amounts)
    try:
        if word.startswith("@"):
            # Through datetime, which refuses what is no time at all.
            return datetime.fromtimestamp(float(word[1:])).astimezone().timestamp()
        if clock := _CLOCK.match(word):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            return midnight.replace(hour=hour, minute=minute, second=second).timestamp()
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{text!r} is no point in time", hint=f"such as {FORMS}") from None
