"""``skerry plan``: what would change, and why; touches nothing."""

from __future__ import annotations

import click

from skerry.cli.leaving import leave_out, leaving_options
from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import ExitCode


@click.command()
@leaving_options
@nodes_option
@timeout_option
@click.pass_obj
def plan(
    settings: Settings,
    nodes: tuple[str, ...],
    without: tuple[str, ...],
    abandoned: tuple[str, ...],
    timeout: float,
) -> int:
    """Show what `skerry apply` would change on each node, and why.

    Nothing is touched. Exit code 0 whether there are changes or not; 3 when a node could not be
    reached or cannot be changed.
    """
    from skerry.cli.cloud import open_cloud
    from skerry.cli.flow import observe_cloud, plan_cloud
    from skerry.cli.remember import keep_questions, keep_rest
    from skerry.cli.waiting import show_plan_so_far
    from skerry.render.plan import render_plan, render_plan_json
    from skerry.render.text import Palette, wants_colour

    opened = open_cloud(settings, wants_images=True)
    leave_out(opened, without, abandoned)
    names = opened.select_nodes(nodes)
    observed = observe_cloud(
        opened, names, timeout=timeout, on_late=show_plan_so_far(settings, opened)
    )
    planned = plan_cloud(opened, observed)
    if settings.json:
        print(render_plan_json(planned))
    else:
        palette = Palette(is_on=wants_colour())
        print(render_plan(planned, palette, is_verbose=settings.verbose > 0))
    keep_questions(settings, opened, names)
    keep_rest(settings, opened, planned)
    bad = planned.unreachable or planned.blocked or planned.held
    return ExitCode.NODE_FAILED if bad else ExitCode.DONE
