"""Log lines as text or as JSON."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from skerry.observe.journal import Line
from skerry.render.text import Palette, one_line, visible

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue")
# syslog's levels: what is this bad or worse is shown so.
_ERROR, _WARNING = 3, 4


class LogRenderer:
    """Lines with a prefix that names the source, each source in a colour of its own."""

    def __init__(self, palette: Palette, *, width: int = 0) -> None:
        self.palette = palette
        self.width = width
        self._colours: dict[str, str] = {}

    def render_line(self, line: Line) -> str:
        """The line as text: local time, source, message; a message of several lines as several."""
        label = one_line(line.source.label)
        colour = self._colours.setdefault(label, _COLOURS[len(self._colours) % len(_COLOURS)])
        self.width = max(self.width, len(label))
        prefix = (
            f"{self.palette.paint(_clock(line.microseconds), 'dim')} "
            f"{self.palette.paint(label.ljust(self.width), colour)} "
        )
        styles = ("dim",) if line.from_systemd else ()
        if line.priority <= _ERROR:
            styles = ("red",)
        elif line.priority == _WARNING:
            styles = ("yellow",)
        parts = line.message.rstrip("\n").replace("\r\n", "\n").split("\n")
        return "\n".join(prefix + self.palette.paint(visible(part), *styles) for part in parts)


def render_line_json(line: Line) -> str:
    """The line as one JSON object; ``docs/logs-json.md`` describes it."""
    return json.dumps(
        {
            "time": datetime.fromtimestamp(line.microseconds / 1e6, UTC).isoformat(
                timespec="microseconds"
            ),
            "microseconds": line.microseconds,
            "workload": line.source.workload,
            "node": line.source.node,
            "replica": line.source.replica,
            "container": line.source.container,
            "priority": line.priority,
            "from_systemd": line.from_systemd,
            "message": line.message,
        }
    )


def _clock(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return time.strftime("%m-%d %H:%M:%S", time.localtime(seconds)) + f".{rest // 1000:03d}"
