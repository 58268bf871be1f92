"""Nodes that have not answered when the others have: what is known is shown, and who is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from skerry.cli.main import Settings

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.edge.fan_out import OnLate
    from skerry.errors import NodeError
    from skerry_node import wire

# More names than this are not listed.
_SHOWN = 6


def on_late(settings: Settings, show: OnLate[wire.Observed]) -> OnLate[wire.Observed] | None:
    """`show` where a person looks on; who reads a file or a pipe gets everything at the end."""
    return show if not settings.json and sys.stderr.isatty() and sys.stdout.isatty() else None


def say_waiting(missing: Sequence[str], count: int, words: str = "") -> None:
    """Says on standard error which of so many nodes are waited for, and `words` of the others."""
    names = ", ".join(missing[:_SHOWN])
    if len(missing) > _SHOWN:
        names += f" and {len(missing) - _SHOWN} more"
    done = f"{count - len(missing)} of {count} nodes have answered"
    print(
        f"{done}{f': {words}' if words else ''}; waiting for {names}", file=sys.stderr, flush=True
    )


def show_plan_so_far(
    settings: Settings, opened: OpenCloud
) -> Callable[[Mapping[str, wire.Observed | NodeError], Sequence[str]], None] | None:
    """What plan and apply do when some nodes are late: the counts for all others are shown."""

    def show(found: Mapping[str, wire.Observed | NodeError], missing: Sequence[str]) -> None:
        from skerry.cli.flow import plan_cloud
        from skerry.render.plan import render_counts

        so_far = plan_cloud(opened, found)
        say_waiting(missing, len(found) + len(missing), render_counts(so_far))

    return on_late(settings, show)
