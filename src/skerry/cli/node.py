"""``skerry node``: the computers of a cloud: add, list, look at, remove, reset."""

from __future__ import annotations

import time

import click

from skerry.cli.main import Settings
from skerry.cli.node_add import add
from skerry.cli.node_cordon import cordon, drain, uncordon
from skerry.cli.node_remove import remove, reset
from skerry.cli.node_unlock import unlock
from skerry.cli.options import list_options, nodes_option, timeout_option


@click.group()
def node() -> None:
    """The computers of a cloud."""


@node.command("ls")
@nodes_option
@timeout_option
@list_options
@click.pass_obj
def list_nodes(
    settings: Settings,
    nodes: tuple[str, ...],
    timeout: float,
    columns: str | None,
    *,
    no_header: bool,
) -> int:
    """List the nodes: how they are, what they are, and how full.

    `latency` is how long the node took to answer, the making of the connection included where
    there was none. States: ready; new (no generation yet); locked (an operator is at work);
    unfinished (a switch was interrupted); refused (no key, or another host key); failed;
    unreachable.

    Columns: name, vendor, zone, state, latency, os, kernel, podman, ram (used/total), disk
    (used/total), pods, ssh, labels, arch, cpus, systemd, uptime, generation.

    Exit codes: 0 all nodes answered; 3 some node did not.
    """
    from skerry.cli.observing import exit_code, open_nodes, split_answers
    from skerry.errors import NodeError
    from skerry.observe.census import read_nodes
    from skerry.render.nodes import (
        COLUMNS,
        render_nodes,
        render_nodes_json,
        render_nodes_line,
    )
    from skerry.render.table import choose_columns
    from skerry.render.text import Palette, one_line, wants_colour

    begun = time.monotonic()
    opened = open_nodes(settings)
    names = opened.select_nodes(nodes)
    # A wrong column is told before anybody is asked.
    choose_columns(COLUMNS, columns)
    answers = read_nodes(
        {name: opened.link(name, timeout=timeout) for name in names}, deadline=timeout
    )
    listed = {name: opened.cloud.nodes[name] for name in names}
    _, failed = split_answers(answers)
    if settings.json:
        print(render_nodes_json(listed, answers))
        return exit_code(failed)
    if listed:
        palette = Palette(is_on=wants_colour())
        print(render_nodes(listed, answers, palette, columns=columns, has_header=not no_header))
    for name, answer in answers.items():
        if isinstance(answer, NodeError):
            click.echo(one_line(f"{name}: {answer.message}"), err=True)
    print(render_nodes_line(answers, seconds=time.monotonic() - begun))
    return exit_code(failed)


@node.command("facts")
@click.argument("name")
@timeout_option
@click.pass_obj
def show_facts(settings: Settings, name: str, timeout: float) -> None:
    """Show all that a node says of itself."""
    import json

    from skerry.cli.observing import open_nodes
    from skerry.edge.exchange import exchange
    from skerry.render.nodes import render_facts

    opened = open_nodes(settings)
    (name,) = opened.select_nodes((name,))[:1]
    found = exchange(opened.link(name, timeout=timeout), "facts", deadline=timeout)
    print(json.dumps(found, indent=2) if settings.json else render_facts(found))


node.add_command(add)
node.add_command(cordon)
node.add_command(drain)
node.add_command(uncordon)
node.add_command(remove)
node.add_command(reset)
node.add_command(unlock)
