"""The generations of many nodes as one history. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from skerry_node import wire


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One apply or rollback. `numbers`, `states` and `rollback_of` are by node.

    `when` is in seconds since 1970, by the operator's clock. `changes` are each line once, in
    the order of the nodes.
    """

    when: float
    who: str
    message: str
    numbers: dict[str, int]
    states: dict[str, str]
    changes: tuple[str, ...]
    rollback_of: dict[str, int] = {}


def merge_histories(histories: Mapping[str, Sequence[wire.Generation]]) -> list[HistoryRow]:
    """One row per apply, newest first: equal when, who and message on several nodes are one."""
    groups: dict[tuple[float, str, str], dict[str, wire.Generation]] = {}
    rows = []
    for node, generations in histories.items():
        for one in generations:
            group = groups.setdefault((one["when"], one["who"], one["message"]), {})
            # A turn makes one generation per node; a second one is a row of its own.
            if node in group:
                rows.append(_row({node: one}))
            else:
                group[node] = one
    rows += [_row(group) for group in groups.values()]
    return sorted(rows, key=lambda row: (-row.when, -max(row.numbers.values())))


def _row(group: Mapping[str, wire.Generation]) -> HistoryRow:
    first = next(iter(group.values()))
    return HistoryRow(
        when=first["when"],
        who=first["who"],
        message=first["message"],
        numbers={node: one["number"] for node, one in group.items()},
        states={node: one["state"] for node, one in group.items()},
        changes=tuple(dict.fromkeys(line for one in group.values() for line in one["changes"])),
        rollback_of={
            node: number
            for node, one in group.items()
            if (number := one.get("rollback_of")) is not None
        },
    )
