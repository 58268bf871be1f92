"""``skerry prune``: old generations, blobs and images go; what a rollback needs stays."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import ExitCode, NodeError, UsageError

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.observe.pruning import Pruned


@click.command()
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="The last N generations stay, with all that a rollback to them needs.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would go.")
@nodes_option
@timeout_option
@click.pass_obj
def prune(
    settings: Settings,
    keep: int,
    nodes: tuple[str, ...],
    timeout: float,
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Remove old generations from the nodes, and the contents and images that only they used.

    The active generation always stays. Images that Skerry did not send stay too. Shows what
    would go, and asks on a terminal.

    Exit codes: 0; 3 some node failed or was unreachable; 5 somebody is at work on a node.
    """
    from skerry.cli.observing import exit_code, open_nodes, show_failed
    from skerry.render.pruned import pruned_to_builtins, render_pruned, render_pruned_line

    opened = open_nodes(settings)
    names = opened.select_nodes(nodes)
    planned, failed = _prune(opened, names, keep, is_dry=True, timeout=timeout)
    show_failed({} if settings.json else failed)
    going = {name: pruned for name, pruned in planned.items() if not pruned.is_empty}
    if not settings.json and going:
        print(render_pruned(going))
    done: dict[str, Pruned] = {}
    if going and not dry_run:
        if not yes:
            _ask(settings, len(going))
        done, more = _prune(opened, list(going), keep, is_dry=False, timeout=max(timeout, 120.0))
        show_failed({} if settings.json else more)
        failed = {**failed, **more}
    if settings.json:
        print(json.dumps(pruned_to_builtins(planned, done, failed), indent=2))
    else:
        print(render_pruned_line(going if dry_run else done, is_dry=dry_run))
    return exit_code(failed)


def _prune(
    opened: OpenCloud, names: list[str], keep: int, *, is_dry: bool, timeout: float
) -> tuple[dict[str, Pruned], dict[str, NodeError]]:
    from skerry.cli.cloud import operator_name
    from skerry.cli.observing import split_answers
    from skerry.edge.fan_out import fan_out
    from skerry.edge.turn import begin_turn
    from skerry.observe.pruning import prune_node

    turn = begin_turn(
        cloud=opened.cloud.name, who=operator_name(), message="prune", cache=opened.cache
    )

    return split_answers(
        fan_out(
            names,
            lambda name: prune_node(
                opened.link(name, timeout=timeout), turn, keep=keep, is_dry=is_dry, deadline=timeout
            ),
        )
    )


def _ask(settings: Settings, count: int) -> None:
    if settings.json or not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="`--yes` prunes without asking")
    if not click.confirm(f"Remove this from {count} node{'s' if count != 1 else ''}?", err=True):
        raise click.exceptions.Exit(ExitCode.DONE)
