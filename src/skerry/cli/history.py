"""``skerry history``: who changed what, when, and what became of it."""

from __future__ import annotations

from typing import cast

import click

from skerry.cli.main import Settings
from skerry.cli.options import list_options, nodes_option, timeout_option


@click.command()
@nodes_option
@timeout_option
@list_options
@click.pass_obj
def history(
    settings: Settings,
    nodes: tuple[str, ...],
    timeout: float,
    columns: str | None,
    *,
    no_header: bool,
) -> int:
    """Show the generations of the nodes, newest first; -v with every change.

    What one apply or rollback made on several nodes is one line; numbers are each node's own.
    States: active; previous (`skerry rollback` can bring it back until it is pruned); failed (it
    did not become healthy and was taken back); unconfirmed (taken back after a lost connection).

    Columns: generation, when, who, state, message, changes, nodes, rollback-of.

    Exit codes: 0; 3 some node could not be asked.
    """
    from skerry.cli.observing import exit_code, open_nodes, show_failed, split_answers
    from skerry.edge.exchange import exchange
    from skerry.edge.fan_out import fan_out
    from skerry.observe.history import merge_histories
    from skerry.render.history import render_history, render_history_json, render_history_line
    from skerry.render.text import Palette, wants_colour
    from skerry_node import wire

    opened = open_nodes(settings)
    names = opened.select_nodes(nodes)

    def ask(name: str) -> list[wire.Generation]:
        answer = exchange(opened.link(name, timeout=timeout), "history", deadline=timeout)
        return cast("list[wire.Generation]", answer["generations"])

    found, failed = split_answers(fan_out(names, ask))
    rows = merge_histories(found)
    if settings.json:
        print(render_history_json(rows, failed))
        return exit_code(failed)
    show_failed(failed)
    if rows:
        print(
            render_history(
                rows,
                Palette(is_on=wants_colour()),
                columns=columns,
                has_header=not no_header,
                is_verbose=settings.verbose > 0,
            )
        )
    print(render_history_line(rows, len(found)))
    return exit_code(failed)
