"""What is printed where all is well. Imports nothing: it may be all that is loaded."""

from __future__ import annotations

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def render_verdict(verdict: dict[str, Any], seconds: float, *, as_json: bool) -> str:
    """The line for a valid folder, from its name and the counts of what it has."""
    if as_json:
        import json

        return json.dumps({"ok": True, **verdict})
    return f"ok: {render_counts(verdict)} ({seconds * 1000:.0f} ms)"


def render_counts(verdict: dict[str, Any]) -> str:
    """What the cloud has, in words: ``3 nodes, 1 workload, 2 ConfigMaps``."""
    counts = (
        (verdict["nodes"], "node"),
        (verdict["workloads"], "workload"),
        (verdict["configMaps"], "ConfigMap"),
    )
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)


def render_times(words: str, seconds: dict[str, float], total: float) -> str:
    """What was done, in how long, with the time per phase (all in seconds)."""
    times = ", ".join(f"{name} {took:.2f}" for name, took in seconds.items())
    return f"{words} in {total:.2f} s ({times})"
