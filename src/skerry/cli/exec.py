"""``skerry exec``: a command in a running container."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import nodes_option, timeout_option
from skerry.errors import NodeError, UsageError

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.observe.containers import Inspected


@click.command()
@click.argument("workload")
@click.argument("words", nargs=-1, required=True, metavar="[--] COMMAND...", type=click.UNPROCESSED)
@click.option("-i", "--interactive", is_flag=True, help="Hand our standard input to the command.")
@click.option("-t", "--tty", is_flag=True, help="Give the command a terminal.")
@click.option("-c", "--container", help="Which container of the pod (default: its first).")
@nodes_option
@timeout_option
@click.pass_obj
def exec(
    settings: Settings,
    workload: str,
    words: tuple[str, ...],
    container: str | None,
    nodes: tuple[str, ...],
    timeout: float,
    *,
    interactive: bool,
    tty: bool,
) -> int:
    """Run a command in the first running replica of a workload that answers; -n says where.

    The exit status is the command's own; 126 and 127 say that it cannot be run or is not there,
    125 that Podman failed. 3 says that the node could not be reached.
    """
    import secrets

    from skerry.cli.observing import open_nodes, show_failed
    from skerry.observe.executing import Execution, choose_target, run_in_container
    from skerry.render.text import one_line

    if tty and not sys.stdin.isatty():
        raise UsageError("-t needs a terminal on our side too", hint="without -t, -i pipes input")
    opened = open_nodes(settings)
    names = opened.select_nodes(nodes)
    answers, failed = _ask(opened, names, workload, container, timeout=timeout)
    if not answers:
        show_failed(failed)
        return next(iter(failed.values())).exit_code
    target = choose_target(answers, workload, container)
    if sys.stderr.isatty():
        print(one_line(f"{workload} on {target.node}, {target.unit}"), file=sys.stderr)
    execution = Execution(
        words=words,
        has_input=interactive,
        has_terminal=tty,
        term=os.environ.get("TERM", "") if tty else "",
    )
    link = opened.link(target.node, timeout=timeout)
    return run_in_container(link, target, execution, token=secrets.token_hex(16))


class _Found(Exception):
    """A replica that will do has answered: the other nodes need not be waited for."""


def _ask(
    opened: OpenCloud,
    names: list[str],
    workload: str,
    container: str | None,
    *,
    timeout: float,
) -> tuple[dict[str, Inspected], dict[str, NodeError]]:
    """What the nodes have of the workload, up to the first answer with a replica that runs."""
    from skerry.edge.fan_out import fan_out
    from skerry.observe.containers import inspect_node
    from skerry.observe.executing import try_choose_target

    answers: dict[str, Inspected] = {}
    failed: dict[str, NodeError] = {}

    def note(name: str, answer: Inspected | NodeError) -> None:
        if isinstance(answer, NodeError):
            failed[name] = answer
            return
        answers[name] = answer
        if try_choose_target({name: answer}, workload, container) is not None:
            answers.clear()
            answers[name] = answer
            raise _Found

    def ask(name: str) -> Inspected:
        link = opened.link(name, timeout=timeout)
        return inspect_node(link, (workload,), wants_containers=False, deadline=timeout)

    try:
        fan_out(names, ask, on_answer=note)
    except _Found:
        pass
    return answers, failed
