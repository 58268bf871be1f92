"""``skerry diff``: what is on the nodes beside what shall be there."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import ExitCode

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.observe.finding import Finding


@click.command()
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@click.option(
    "--activated",
    is_flag=True,
    help="Beside what was last activated on each node, not beside the folder.",
)
@nodes_option
@timeout_option
@click.pass_obj
def diff(
    settings: Settings,
    workloads: tuple[str, ...],
    nodes: tuple[str, ...],
    timeout: float,
    *,
    activated: bool,
) -> int:
    """Show how the nodes differ from the folder: each difference with what is expected, what is
    there, and what to do about it. Nothing is touched.

    Compared are files (content, mode, owner), images by id, secrets by the version of their
    values, units (running; started at boot), and of each running container its image, its
    published ports with something listening behind them, and its variables. With --activated the
    nodes are compared with their own records, and variables are not compared: drift is what
    somebody changed by hand.

    Exit codes: 0 no difference; 4 some difference, also where some node was unreachable; 3 no
    difference, but some node was unreachable.
    """
    from skerry.cli.cloud import open_cloud
    from skerry.cli.observing import open_nodes, split_answers
    from skerry.edge.fan_out import fan_out
    from skerry.observe.filters import select_workloads
    from skerry.render.diff import render_diff_json, render_diff_line, render_findings
    from skerry.render.text import Palette, one_line, wants_colour

    begun = time.monotonic()
    opened = open_nodes(settings) if activated else open_cloud(settings, wants_images=True)
    names = opened.select_nodes(nodes)
    if not activated:
        _ = opened.trees
    answers, unreachable = split_answers(
        fan_out(names, lambda name: _diff(opened, name, is_activated=activated, timeout=timeout))
    )
    findings = [one for _, found in answers.values() for one in found]
    if workloads:
        known = {name for there, _ in answers.values() for name in there}
        chosen = select_workloads(workloads, known | set(opened.cloud.workloads))
        findings = [one for one in findings if chosen.intersection(one.workloads)]
    if settings.json:
        print(render_diff_json(findings, unreachable))
    else:
        for name, error in unreachable.items():
            print(one_line(f"{name}: unreachable: {error.message}"), file=sys.stderr)
        if findings:
            print(render_findings(findings, Palette(is_on=wants_colour())))
        seconds = time.monotonic() - begun
        print(render_diff_line(findings, unreachable, nodes=len(names), seconds=seconds))
    if findings:
        return ExitCode.DRIFT
    return ExitCode.NODE_FAILED if unreachable else ExitCode.DONE


def _diff(
    opened: OpenCloud, name: str, *, is_activated: bool, timeout: float
) -> tuple[set[str], list[Finding]]:
    """The workloads that the node has or shall have, and what differs there."""
    from skerry.cli.desired import desired_manifest, known_texts
    from skerry.observe.containers import inspect_node
    from skerry.observe.diff import diff_node
    from skerry.observe.environment import desired_environments
    from skerry.observe.node import observe_node

    link = opened.link(name, timeout=timeout)
    tree = None if is_activated else opened.trees[name]
    desired = tree.manifest() if tree is not None else None
    observed = observe_node(link, desired, wants_text=True, deadline=timeout)
    active = observed["manifest"]
    if active is not None:
        # A node is shown under the name that it has here, whatever it calls itself.
        active["node"] = name
    desired = desired_manifest(opened, name, observed) if desired is not None else active
    if desired is None:
        return set(), []
    inspected = inspect_node(link, wants_containers=True, deadline=timeout)
    texts = known_texts(tree, desired) if tree is not None else {}
    found = diff_node(
        desired,
        observed,
        inspected,
        text_of=texts.get,
        environment_of=desired_environments(desired, texts).get,
    )
    units = [*desired["units"].values(), *(active["units"].values() if active else ())]
    return {entry["workload"] for entry in units}, found
