"""Nodes that are left out, and volumes that are given up: options of plan and apply."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from skerry.errors import UsageError

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.errors import NodeError
    from skerry.plan.plan import Plan
    from skerry_node import wire

Function = TypeVar("Function", bound=Callable[..., Any])


def leaving_options(function: Function) -> Function:
    """``--without NODE`` and ``--abandon-volume CLAIM``, both repeatable."""
    function = click.option(
        "--abandon-volume",
        "abandoned",
        multiple=True,
        metavar="CLAIM",
        help="Give this volume up: its workload may start elsewhere, with an empty one.",
    )(function)
    return click.option(
        "--without",
        multiple=True,
        metavar="NODE[,NODE]",
        help="As if these nodes were lost: what they have is started elsewhere.",
    )(function)


def leave_out(opened: OpenCloud, without: tuple[str, ...], abandoned: tuple[str, ...] = ()) -> None:
    """Has the cloud be without these nodes and volumes for one command. Raises UsageError."""
    import msgspec

    names = opened.select_nodes(without) if without else []
    strange = sorted(set(abandoned) - opened.lock.claims.keys())
    if strange:
        known = ", ".join(sorted(opened.lock.claims)) or "none"
        raise UsageError(
            f"{', '.join(strange)}: no such volume lies on a node",
            hint=f"volumes in cloud.lock: {known}",
        )
    if len(names) == len(opened.cloud.nodes) and names:
        raise UsageError("without all of its nodes there is no cloud")
    opened.change_cloud(
        msgspec.structs.replace(opened.cloud, absent=tuple(names), abandoned=tuple(abandoned))
    )


def ask_to_abandon(opened: OpenCloud) -> None:
    """Has the name of each volume that is given up typed in, where there is a terminal."""
    if not sys.stdin.isatty():
        return
    for claim in opened.cloud.abandoned:
        node = opened.given_up.get(claim, "its node")
        click.echo(
            f"{claim}: what is in this volume on {node} is left there, and its workload starts "
            "with an empty one",
            err=True,
        )
        typed = click.prompt("Type the volume's name to agree", default="", err=True)
        if typed.strip() != claim:
            raise UsageError(f"{claim} was not given up: nothing was changed")


def add_moves(
    plan: Plan, opened: OpenCloud, observed: Mapping[str, wire.Observed | NodeError]
) -> Plan:
    """The plan with what goes from node to node, and what cannot."""
    import msgspec

    from skerry.errors import NodeError
    from skerry.plan.moves import plan_moves, running_counts, wanted_counts

    seen = {
        name: answer["manifest"]
        for name, answer in observed.items()
        if not isinstance(answer, NodeError)
    }
    placements, absent = opened.placements, opened.cloud.absent
    before = running_counts(seen, placements, absent)
    after = wanted_counts(placements, seen)
    return msgspec.structs.replace(
        plan,
        moves=tuple(plan_moves(before, after, opened.cloud.workloads)),
        held=placements.held,
        left_out=absent,
    )
