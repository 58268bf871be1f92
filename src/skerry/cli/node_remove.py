"""``skerry node rm`` and ``skerry node reset``: out of the cloud, and Skerry off the host."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import timeout_option
from skerry.errors import CloudInvalid, ExitCode, UsageError

if TYPE_CHECKING:
    from skerry.bootstrap.report import Step
    from skerry.edge.ssh import Link

# How long a node that is said to be lost has to answer, in seconds.
_ALIVE_WITHIN = 3.0


@click.command("rm")
@click.argument("name")
@click.option(
    "--forget",
    is_flag=True,
    help="Do not ask the node: it is gone, or what runs there goes on without you.",
)
@click.option(
    "--lost",
    is_flag=True,
    help="It is gone for good: first start elsewhere what it had, as `apply --without` does.",
)
@click.option("-y", "--yes", is_flag=True, help="With --lost: do not ask.")
@timeout_option
@click.pass_context
def remove(
    context: click.Context, name: str, timeout: float, *, forget: bool, lost: bool, yes: bool
) -> int:
    """Take a node out of cloud.yaml, and its host key out of the cloud folder.

    Nothing is changed on the node: `skerry node reset` is the verb for that, and comes first. A
    node on which workloads run, or that does not answer, is removed with --forget or --lost only.
    `skerry node add` of a host under the old name brings back what belonged there.

    Exit codes: 0 done; 2 the node cannot be taken out; 3 the node did not answer, or with --lost
    something could not be started elsewhere.
    """
    from skerry.bootstrap.entry import change_entry, forget_entry, is_in_cloud_file
    from skerry.bootstrap.host_keys import write_pins
    from skerry.cli.cloud import KNOWN_HOSTS
    from skerry.cli.facts import forget_node_facts
    from skerry.cli.observing import open_nodes
    from skerry.edge.ssh import close_connection
    from skerry.render.text import one_line

    settings: Settings = context.obj
    opened = open_nodes(settings)
    (name,) = opened.select_nodes((name,))[:1]
    known = opened.cloud.nodes[name]
    if not is_in_cloud_file(known):
        raise UsageError(
            f"{name} is written in {known.origin.file}:{known.origin.line}, which is not Skerry's",
            hint="remove it there",
        )
    link = opened.link(name, timeout=timeout)
    status: int = ExitCode.DONE
    if lost:
        _raise_if_alive(link)
        status = _start_elsewhere(context, name, timeout, yes=yes)
    elif not forget:
        _raise_if_at_work(link, timeout)
    before = _problems(opened.folder)
    change_entry(opened.folder, lambda text: forget_entry(text, name))
    forget_node_facts(opened.folder, name)
    write_pins(opened.folder / KNOWN_HOSTS, name, [])
    close_connection(link)
    after = [problem for problem in _problems(opened.folder) if problem not in before]
    if settings.json:
        print(json.dumps({"removed": name, "problems": after}, indent=2))
        return status
    for problem in after:
        print(one_line(problem), file=sys.stderr)
    tail = "; cloud.yaml still means it, see above" if after else ""
    print(f"{name} ({known.ssh}) is out of the cloud; nothing was changed on it{tail}")
    return status


@click.command("reset")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--packages", is_flag=True, help="Also remove the packages that bootstrap installed.")
@click.option("--check", is_flag=True, help="Say what would be removed; change nothing.")
@timeout_option
@click.pass_obj
def reset(
    settings: Settings, name: str, timeout: float, *, yes: bool, packages: bool, check: bool
) -> None:
    """Take off a node all that Skerry put there, and nothing else.

    The workloads are stopped and removed with their volumes and the data of their claims, then
    files, settings, the deploy user and its sudo file. Packages stay, unless --packages is given.
    The node stays in cloud.yaml: `skerry node rm --forget` takes it out, `skerry node add` starts
    anew.

    Exit codes: 0 done; 2 nothing was agreed to; 3 the node did not answer or could not be reset.
    """
    from skerry.bootstrap.reset import reset_node
    from skerry.cli.cloud import operator_name
    from skerry.cli.observing import open_nodes
    from skerry.cli.progress import Progress
    from skerry.edge.turn import begin_turn
    from skerry.render.nodes import render_reset, step_styles, step_words

    begun = time.monotonic()
    opened = open_nodes(settings)
    (name,) = opened.select_nodes((name,))[:1]
    link = opened.link(name, timeout=timeout)
    turn = begin_turn(
        cloud=opened.cloud.name, who=operator_name(), message="node reset", cache=opened.cache
    )
    progress = Progress([name], is_quiet=settings.json)

    def show(step: Step) -> None:
        progress.show(name, step_words(step), *step_styles(step))

    if not check and not yes:
        found = reset_node(link, turn, is_check=True, takes_packages=packages)
        for step in found.steps:
            show(step)
        _ask(name)
    report = reset_node(
        link,
        turn,
        is_check=check,
        takes_packages=packages,
        on_step=show,
    )
    if settings.json:
        import msgspec

        print(json.dumps(msgspec.to_builtins(report), indent=2))
        return
    print(render_reset(name, report, seconds=time.monotonic() - begun))


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{name} was not reset: nobody can be asked", hint="--yes agrees")
    if not click.confirm(f"remove all this from {name}?", err=True):
        raise UsageError(f"{name} was not reset")


def _raise_if_at_work(link: Link, timeout: float) -> None:
    from skerry.observe.node import observe_node

    found = observe_node(link, None, wants_images=False, deadline=timeout)
    units = found["manifest"]["units"] if found["manifest"] is not None else {}
    names = sorted({unit["workload"] for unit in units.values() if unit["workload"]})
    if names:
        raise UsageError(
            f"{', '.join(names)} would go on running on {link.node} without anybody in charge",
            hint=f"`skerry node reset {link.node}` removes them; --forget leaves them running",
        )


def _raise_if_alive(link: Link) -> None:
    """A node that answers is not lost: what it has would run twice."""
    from skerry.edge.exchange import exchange
    from skerry.errors import NodeError

    try:
        exchange(link, "ping", deadline=_ALIVE_WITHIN)
    except NodeError:
        return
    raise UsageError(
        f"{link.node} answers: it is not lost",
        hint=f"`skerry node drain {link.node}` moves what it has, `skerry node reset` cleans it",
    )


def _start_elsewhere(context: click.Context, name: str, timeout: float, *, yes: bool) -> int:
    """Starts on other nodes what the lost one had; 3 where something could not be."""
    from skerry.cli.apply import apply

    settings: Settings = context.obj
    if settings.json:
        # One document is printed, and it is about the removal.
        raise UsageError("--lost applies, and has no JSON of its own",
                         hint=f"skerry --json apply --without {name}; "
                         f"skerry --json node rm --forget {name}")  # fmt: skip
    status: int = context.invoke(
        apply, nodes=(), without=(name,), abandoned=(), timeout=timeout,
        message=f"{name} is lost", yes=yes,
    )  # fmt: skip
    return status


def _problems(folder: Path) -> list[str]:
    from skerry.load.cloud import load_cloud

    try:
        load_cloud(folder)
    except CloudInvalid as error:
        return [str(problem) for problem in error.problems]
    return []
