"""``skerry rollback``: an older generation again, as a new one."""

from __future__ import annotations

import sys
from functools import cache

import click

from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import ExitCode, NodeError, UsageError


@click.command()
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-m", "--message", default="", help="Why: shown by `skerry history`.")
@nodes_option
@timeout_option
@click.pass_obj
def rollback(
    settings: Settings,
    number: int | None,
    nodes: tuple[str, ...],
    timeout: float,
    message: str,
    *,
    yes: bool,
) -> int:
    """Bring an older generation back.

    Without NUMBER, the latest change is undone: the nodes that took part in it go back to the
    generation before. With NUMBER, each node goes back to its own generation of that number (see
    `skerry history`). Contents and images are on the nodes already; nothing is sent but secrets
    that a node no longer has, where the folder still has their values. The next `skerry apply`
    makes the nodes as the folder says again.
    """
    from skerry.cli.cloud import open_cloud, operator_name
    from skerry.cli.flow import Phases, latest_moments, refuse_locked, switch_to
    from skerry.cli.report import Report
    from skerry.cli.rolling import roll_and_report
    from skerry.cli.rolling_back import (
        Older,
        lock_nodes,
        plan_rollback,
        read_older_generations,
        read_own_secrets,
    )
    from skerry.edge.leases import Leases
    from skerry.edge.stop import AGAIN, Stopping
    from skerry.edge.turn import begin_turn, follow

    phases = Phases(settings.start)
    with phases.phase("load"):
        opened = open_cloud(settings)
        names = opened.select_nodes(nodes)
    with phases.phase("observe"):
        older = read_older_generations(opened, names, number, timeout=timeout)
        refuse_locked(
            {name: found.observed for name, found in older.items() if isinstance(found, Older)}
        )
    with phases.phase("plan"):
        secrets = cache(lambda: read_own_secrets(opened))
        planned = plan_rollback(opened, older, secrets)
    report = Report(settings, planned, phases)
    report.show_plan()
    if not planned.changed:
        return report.finish()
    if not yes and (settings.json or not sys.stdin.isatty()):
        raise UsageError("there is no terminal to ask on", hint="`--yes` rolls back without asking")
    if not yes and not click.confirm("Roll back?", err=True):
        raise click.exceptions.Exit(ExitCode.DONE)
    phases.leave_out()
    words = message or (f"rollback to {number}" if number else "rollback")
    turn = begin_turn(
        cloud=opened.cloud.name, who=operator_name(), message=words, cache=opened.cache
    )
    seen = {name: found.observed for name, found in older.items() if isinstance(found, Older)}
    turn = follow(turn, latest_moments(seen))
    giving_back = f"giving back what is locked; {AGAIN}"
    with Stopping(giving_back) as stop, Leases(turn, opened.link) as leases:
        with phases.phase("lock"):
            locked = lock_nodes(
                opened, turn, leases, stop, planned.changed, secrets, timeout=timeout
            )
        report.note_pushed(locked)
        switches = {
            node.node: switch_to(found.desired, node, rollback_of=found.number)
            for node in planned.changed
            if isinstance(found := older[node.node], Older)
            and not isinstance(locked[node.node], NodeError)
        }
        roll_and_report(opened, turn, switches, report, leases, stop, timeout=timeout)
        if stop.is_wanted:
            report.interrupted = stop.interrupted("")
    return report.finish()
