"""``skerry status``: what runs where, and how it does."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import list_options, nodes_option, timeout_option

if TYPE_CHECKING:
    from skerry.errors import NodeError
    from skerry.observe.status import ReplicaStatus
    from skerry_node import wire


@click.command()
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@click.option("--containers", is_flag=True, help="A row per container (also with -o +container).")
@nodes_option
@timeout_option
@list_options
@click.pass_obj
def status(
    settings: Settings,
    workloads: tuple[str, ...],
    nodes: tuple[str, ...],
    timeout: float,
    columns: str | None,
    *,
    containers: bool,
    no_header: bool,
) -> int:
    """Show every replica: where it runs, since when, how often it was restarted, its memory.

    States: running; starting; stopping; restarting (it ended and systemd starts it again);
    failed; stopped; completed (it was to end and did, with success); missing (recorded on the
    node, but systemd does not know the unit); absent (in the folder, not on the node: `skerry
    apply`); extra (on the node, not in the folder); unreachable. A pod of several containers
    has the worst state of them. A pod of a job may be waiting for those before it; a cron job is
    scheduled or suspended while no job of it runs.

    Columns: workload, replica, container, node, state, restarts, memory (used/limit), age, last
    (how a cron job's last job ended), next (in how long it begins one), image, ports, image-id,
    generation, units. Last and next are shown where there are cron jobs.

    On a terminal, when most nodes have answered and some take their time, the rows of those that
    have are shown at once, and the others' below when they answer or their time is over.

    Exit codes: 0 all nodes answered; 3 some node did not.
    """
    from skerry.cli.observing import (
        desired_manifests,
        exit_code,
        open_to_observe,
        split_answers,
    )
    from skerry.cli.waiting import on_late, say_waiting
    from skerry.edge.fan_out import fan_out
    from skerry.observe.clock import clock_notes
    from skerry.observe.filters import select_workloads
    from skerry.observe.node import observe_node
    from skerry.observe.status import status_of_nodes
    from skerry.render import status as render
    from skerry.render.text import Palette, one_line, wants_colour

    begun = time.monotonic()
    by_container = render.wants_containers(columns) or containers
    if containers and columns is None:
        columns = "+container"
    opened, invalid = open_to_observe(settings)
    names = opened.select_nodes(nodes)
    desired = desired_manifests(opened, names, invalid)
    palette = Palette(is_on=wants_colour())
    shown = set[str]()

    def rows_of(answers: Mapping[str, wire.Observed | NodeError]) -> list[ReplicaStatus]:
        rows = status_of_nodes(desired, answers, by_container=by_container)
        if not workloads:
            return rows
        known = {row.workload for row in rows if row.workload} | set(opened.cloud.workloads)
        chosen = select_workloads(workloads, known)
        return [row for row in rows if row.workload in chosen]

    def show_rows(rows: list[ReplicaStatus]) -> None:
        fresh = [row for row in rows if row.node not in shown]
        if fresh:
            has_header = not (no_header or shown)
            text = render.render_status(fresh, palette, columns=columns, has_header=has_header)
            print(text, flush=True)

    def show_so_far(
        answers: Mapping[str, wire.Observed | NodeError], missing: Sequence[str]
    ) -> None:
        show_rows(rows_of(answers))
        shown.update(answers)
        say_waiting(missing, len(names))

    answers = fan_out(
        names,
        lambda name: observe_node(
            opened.link(name, timeout=timeout),
            desired[name] if desired is not None else None,
            wants_images=False,
            deadline=timeout,
        ),
        on_late=on_late(settings, show_so_far),
    )
    rows = rows_of(answers)
    observed, unreachable = split_answers(answers)
    notes = render.notes_of(observed, invalid)
    for name, answer in observed.items():
        notes += [f"{name}: {words}" for words in clock_notes(answer["facts"], time.time())]
    if settings.json:
        print(render.render_status_json(rows, unreachable, notes))
        return exit_code(unreachable)
    for note in notes:
        print(one_line(note), file=sys.stderr)
    for name, error in unreachable.items():
        print(one_line(f"{name}: {error.message}"), file=sys.stderr)
    show_rows(rows)
    seconds = time.monotonic() - begun
    print(render.render_status_line(rows, unreachable, nodes=len(names), seconds=seconds))
    return exit_code(unreachable)
