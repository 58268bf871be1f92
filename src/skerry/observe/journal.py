"""journalctl's command line and its JSON lines. Pure.

Source: journalctl(1) and "Journal Export Formats", the JSON format: every value is a string; a
value that is not UTF-8 is a list of bytes; a field that occurs more than once is a list of such;
a value that is too long is null, unless ``--all`` is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from skerry.compile.rolling.names import any_revision, has_revision, without_revision
from skerry.edge.answers import MOMENT_LIMIT
from skerry_node import wire

_FIELDS = (
    "MESSAGE", "PRIORITY", "_SYSTEMD_UNIT", "UNIT", "OBJECT_SYSTEMD_UNIT", "_COMM", "PODMAN_EVENT",
    "CONTAINER_ID_FULL",
)  # fmt: skip
_CONTAINER_ID = re.compile(r"[0-9a-f]{64}")
# Goes back to the node as an argument.
_CURSOR = re.compile(r"[A-Za-z0-9=;_-]{0,500}")
_LAST_MICROSECOND = MOMENT_LIMIT * 1_000_000
_decoder = msgspec.json.Decoder()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Who said something: a container of a replica on a node.

    `container` is empty for a replica's only one.
    """

    workload: str
    node: str
    replica: int
    container: str = ""
    is_numbered: bool = False

    @property
    def label(self) -> str:
        """``blog/alpha``, ``blog.1/alpha`` where the node has several, ``blog/alpha/web``."""
        number = f".{self.replica}" if self.is_numbered else ""
        tail = f"/{self.container}" if self.container else ""
        return f"{self.workload}{number}/{self.node}{tail}"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal.

    `microseconds` since 1970 by the node's clock; `priority` as in syslog, 0 (worst) to 7;
    `from_systemd` tells systemd's own words about the unit from what it printed; `cursor` is the
    entry's place in the node's journal.
    """

    microseconds: int
    source: Source
    message: str
    priority: int = 6
    from_systemd: bool = False
    cursor: str = ""


class JournalQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: times in seconds since 1970; `lines` at most, the last ones; None is all.

    With `follow` it goes on with what comes, and `lines` has no meaning.
    """

    since: float | None = None
    until: float | None = None
    lines: int | None = None
    pattern: str | None = None
    follow: bool = False


def compile_journal_command(
    units: Sequence[str], query: JournalQuery, *, after: str | None = None
) -> tuple[str, ...]:
    """The words of the command; `after` is the cursor behind which to go on, instead of `since`.

    What earlier revisions of a unit said is asked for too.
    """
    words = ["journalctl", "--quiet", "--no-pager", "--all", "--output=json"]
    words.append("--output-fields=" + ",".join(_FIELDS))
    if after is not None:
        words.append(f"--after-cursor={after}")
    elif query.since is not None:
        words.append(f"--since=@{query.since:.6f}")
    if query.until is not None:
        words.append(f"--until=@{query.until:.6f}")
    if query.pattern is not None:
        words.append(f"--grep={query.pattern}")
    if query.follow:
        words += ["--follow", "--no-tail"]
    elif query.lines is not None:
        words.append(f"--lines={query.lines}")
    patterns = [any_revision(unit) for unit in units if has_revision(unit)]
    return (*words, *(f"--unit={unit}" for unit in (*units, *patterns)))


def sources_of_units(node: str, units: Mapping[str, wire.UnitEntry]) -> dict[str, Source]:
    """Who speaks through each unit."""
    replicas: dict[str, set[int]] = {}
    containers: dict[tuple[str, int], set[str]] = {}
    for entry in units.values():
        replicas.setdefault(entry["workload"], set()).add(entry["replica"])
        key = (entry["workload"], entry["replica"])
        containers.setdefault(key, set()).add(entry["container"])
    return {
        unit: Source(
            workload=entry["workload"],
            node=node,
            replica=entry["replica"],
            container=entry["container"]
            if len(containers[entry["workload"], entry["replica"]]) > 1
            else "",
            is_numbered=len(replicas[entry["workload"]]) > 1,
        )
        for unit, entry in units.items()
    }


def for_all_revisions(sources: Mapping[str, Source]) -> dict[str, Source]:
    """The sources, with those of units that have a revision also under the name without it."""
    return {**{without_revision(unit): source for unit, source in sources.items()}, **sources}


def try_parse_entry(text: bytes, sources: Mapping[str, Source]) -> Line | None:
    """One line of ``--output=json``; None for what is no entry of these units.

    Podman's own events (a container was made, started, ...), the id that it prints of each
    container, and what its supervisor conmon complains of are left out: they tell nothing that
    systemd's words do not, and lie under the same unit. What probes say of a container names its
    unit as their object.
    """
    try:
        entry = _decoder.decode(text.decode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(entry, dict) or "PODMAN_EVENT" in entry:
        return None
    own = _text(entry.get("_SYSTEMD_UNIT"))
    about = _text(entry.get("UNIT")) or _text(entry.get("OBJECT_SYSTEMD_UNIT"))
    speaker = sources.get(own) or sources.get(without_revision(own))
    source = speaker or sources.get(about) or sources.get(without_revision(about))
    if source is None:
        return None
    message = _text(entry.get("MESSAGE"))
    if entry.get("_COMM") == "podman" and _CONTAINER_ID.fullmatch(message):
        return None
    if entry.get("_COMM") == "conmon" and "CONTAINER_ID_FULL" not in entry:
        return None
    try:
        microseconds = int(_text(entry.get("__REALTIME_TIMESTAMP")))
        priority = int(_text(entry.get("PRIORITY")) or 6)
    except ValueError:
        return None
    cursor = _text(entry.get("__CURSOR"))
    if not (0 <= microseconds <= _LAST_MICROSECOND and _CURSOR.fullmatch(cursor)):
        return None
    return Line(
        microseconds=microseconds,
        source=source,
        # conmon leaves the newline on.
        message=_text(entry.get("MESSAGE")).rstrip("\n"),
        priority=priority,
        from_systemd=speaker is None,
        cursor=cursor,
    )


def _text(value: Any) -> str:
    """A field's text: the first one, where it occurs more than once."""
    if isinstance(value, list) and value and isinstance(value[0], str | list):
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, int) and 0 <= one < 256 for one in value):
        return bytes(value).decode(errors="replace")
    return ""
