"""``skerry apply``: plan, ask, act, report."""

from __future__ import annotations

import sys

import click

from skerry.cli.leaving import ask_to_abandon, leave_out, leaving_options
from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import ExitCode, UsageError


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-m", "--message", default="", help="Why: shown by `skerry history`.")
@click.option(
    "--canary",
    type=click.IntRange(min=1),
    metavar="N",
    help="Change the first N nodes of the roll only.",
)
@leaving_options
@nodes_option
@timeout_option
@click.pass_obj
def apply(
    settings: Settings,
    nodes: tuple[str, ...],
    without: tuple[str, ...],
    abandoned: tuple[str, ...],
    timeout: float,
    message: str,
    canary: int | None,
    *,
    yes: bool,
) -> int:
    """Make the nodes as the cloud folder says.

    Shows the plan, asks, sends what is missing, switches every node to a new generation, waits
    until its units are healthy, and confirms. A node that does not become healthy goes back to
    its old generation by itself.

    Replicas are replaced as their workload's strategy says: where that is more than one node can
    do at once, nodes follow each other in waves, and a node that fails stops the roll. With
    --canary it stops after N nodes; another apply goes on.

    Exit codes: 0 done; 3 some node failed or was unreachable, the others were done; 5 somebody
    else is at work.
    """
    from skerry.cli.cloud import open_cloud, operator_name
    from skerry.cli.desired import desired_manifests
    from skerry.cli.flow import (
        Phases,
        begin_changes,
        latest_moments,
        mend_interrupted,
        observe_cloud,
        plan_cloud,
        push_cloud,
        refuse_locked,
        switch_to,
    )
    from skerry.cli.remember import keep_questions, keep_rest
    from skerry.cli.report import Report
    from skerry.cli.rolling import roll_and_report
    from skerry.cli.waiting import show_plan_so_far
    from skerry.edge.leases import Leases
    from skerry.edge.stop import AGAIN, Stopping, interrupted_with
    from skerry.edge.turn import begin_turn, follow
    from skerry.errors import NodeError
    from skerry.load.lockfile import write_lock
    from skerry.plan.roll import limit_roll

    phases = Phases(settings.start)
    if yes:
        begin_changes(settings.start)
    with interrupted_with("nothing was changed"), phases.phase("load"):
        opened = open_cloud(settings, wants_images=True)
        leave_out(opened, without, abandoned)
        names = opened.select_nodes(nodes)
        _ = opened.trees
    turn = begin_turn(
        cloud=opened.cloud.name, who=operator_name(), message=message, cache=opened.cache
    )
    with interrupted_with("nothing was changed"), phases.phase("observe"):
        observed = observe_cloud(
            opened,
            names,
            timeout=timeout,
            on_late=show_plan_so_far(settings, opened),
            will_push=yes,
        )
        refuse_locked(observed)
    mending = "a node brings an earlier change to an end, and goes on with that by itself"
    with interrupted_with(mending), phases.phase("observe"):
        mended = mend_interrupted(opened, turn, observed, timeout=timeout)
    turn = follow(turn, latest_moments(observed))
    with interrupted_with("nothing was changed"), phases.phase("plan"):
        planned = plan_cloud(opened, observed)
        if canary is not None:
            planned = limit_roll(planned, canary)
    opened.write_facts()
    report = Report(settings, planned, phases)
    for name, notes in mended.items():
        for note in notes:
            report.progress.show(name, note, "yellow")
    report.show_plan()
    if not planned.changed:
        status = report.finish()
        keep_questions(settings, opened, names)
        if not mended:
            keep_rest(settings, opened, planned)
        return status
    if not yes:
        _ask(settings, len(planned.changed))
        ask_to_abandon(opened)
        phases.leave_out()
    opened.write_claims()
    giving_back = f"giving back what is locked; {AGAIN}"
    ahead = settings.start.ahead if settings.start is not None else None
    with Stopping(giving_back) as stop, Leases(turn, opened.link, ahead=ahead) as leases:
        with phases.phase("push"):
            pushed = push_cloud(
                opened, turn, planned, leases, stop, timeout=timeout, progress=report.progress.show
            )
        report.note_pushed(pushed)
        desired = desired_manifests(opened, observed)
        switches = {
            node.node: switch_to(desired[node.node], node)
            for node in planned.changed
            if not isinstance(pushed[node.node], NodeError)
        }
        roll_and_report(opened, turn, switches, report, leases, stop, timeout=timeout)
        if stop.is_wanted:
            report.interrupted = stop.interrupted("")
    # Said first: what is done is done, whether or not it can be noted here.
    status = report.finish()
    write_lock(opened.folder, opened.lock)
    keep_questions(settings, opened, names)
    return status


def _ask(settings: Settings, count: int) -> None:
    if settings.json or not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask on", hint="`--yes` applies the plan without asking"
        )
    if not click.confirm(f"Apply this to {count} node{'s' if count != 1 else ''}?", err=True):
        raise click.exceptions.Exit(ExitCode.DONE)
