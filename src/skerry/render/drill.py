"""What a drill found, as text for people or plain values for programs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a workload: on which nodes it was and is, and when it answered again.

    `state` is never-stopped, answered, held (by its volume, or for want of room; `words` say
    why) or silent. Times are in seconds, from the kill and from the start of the apply.
    """

    workload: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    state: str
    from_kill: float | None = None
    from_apply: float | None = None
    words: str = ""


def render_drill(node: str, results: Sequence[Result]) -> str:
    """A line for each workload, and one for all."""
    width = max((len(one.workload) for one in results), default=0)
    places = {one.workload: _places(one) for one in results}
    column = max((len(words) for words in places.values()), default=0)
    lines = []
    for one in results:
        lines.append(f"{one.workload:<{width}}  {places[one.workload]:<{column}}  {_words(one)}")
    moved = [one for one in results if one.state == "answered"]
    silent = sum(one.state == "silent" for one in results)
    held = sum(one.state == "held" for one in results)
    parts = [f"{node} was killed"]
    if moved:
        slowest = max(one.from_kill or 0.0 for one in moved)
        since = max(one.from_apply or 0.0 for one in moved)
        parts.append(
            f"the last of {len(moved)} answered again after {slowest:.1f} s, "
            f"{since:.1f} s after apply began"
        )
    else:
        parts.append("nothing that could move was silent" if not silent else "nothing came back")
    if silent:
        parts.append(f"{silent} silent")
    if held:
        parts.append(f"{held} held")
    return "\n".join((*lines, "; ".join(parts)))


def drill_to_builtins(node: str, results: Sequence[Result]) -> dict[str, object]:
    """The drill as plain values."""
    return {
        "format": 1,
        "killed": node,
        "workloads": {one.workload: msgspec.to_builtins(one) for one in results},
        "slowest_from_apply": max((one.from_apply or 0.0 for one in results), default=0.0),
    }


def _places(one: Result) -> str:
    before, after = ", ".join(one.before), ", ".join(one.after)
    return before if before == after else f"{before} -> {after or 'nowhere'}"


def _words(one: Result) -> str:
    if one.state == "answered":
        return (
            f"answered again after {one.from_kill:.1f} s ({one.from_apply:.1f} s after apply began)"
        )
    if one.state == "held":
        return "held: " + one.words.splitlines()[0].partition(" ")[2]
    return {"never-stopped": "never stopped", "silent": "does not answer"}[one.state]
