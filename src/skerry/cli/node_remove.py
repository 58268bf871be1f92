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
from skerry.errors import CloudInvalid, UsageError

if TYPE_CHECKING:
    from skerry.bootstrap.report import Step
    from skerry.edge.ssh import Link


@click.command("rm")
@click.argument("name")
@click.option(
    "--forget",
    is_flag=True,
    help="Do not ask the node: it is gone, or what runs there goes on without you.",
)
@timeout_option
@click.pass_obj
def remove(settings: Settings, name: str, timeout: float, *, forget: bool) -> None:
    """Take a node out of cloud.yaml, and its host key out of the cloud folder.

    Nothing is changed on the node: `skerry node reset` is the verb for that, and comes first. A
    node on which workloads run, or that does not answer, is removed with --forget only.

    Exit codes: 0 done; 2 the node cannot be taken out; 3 the node did not answer.
    """
    from skerry.bootstrap.entry import change_entry, forget_entry, is_in_cloud_file
    from skerry.bootstrap.host_keys import write_pins
    from skerry.cli.cloud import KNOWN_HOSTS
    from skerry.cli.observing import open_nodes
    from skerry.edge.ssh import close_connection

    opened = open_nodes(settings)
    (name,) = opened.select_nodes((name,))[:1]
    known = opened.cloud.nodes[name]
    if not is_in_cloud_file(known):
        raise UsageError(
            f"{name} is written in {known.origin.file}:{known.origin.line}, which is not Skerry's",
            hint="remove it there",
        )
    link = opened.link(name, timeout=timeout)
    if not forget:
        _raise_if_at_work(link, timeout)
    before = _problems(opened.folder)
    change_entry(opened.folder, lambda text: forget_entry(text, name))
    write_pins(opened.folder / KNOWN_HOSTS, name, [])
    close_connection(link)
    after = [problem for problem in _problems(opened.folder) if problem not in before]
    if settings.json:
        print(json.dumps({"removed": name, "problems": after}, indent=2))
        return
    for problem in after:
        print(problem, file=sys.stderr)
    tail = "; cloud.yaml still means it, see above" if after else ""
    print(f"{name} ({known.ssh}) is out of the cloud; nothing was changed on it{tail}")


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

    The workloads are stopped and removed with their volumes, then files, settings, the deploy
    user and its sudo file. Packages stay, unless --packages is given. The node stays in
    cloud.yaml: `skerry node rm --forget` takes it out, `skerry node add` starts anew.

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
    turn = begin_turn(cloud=opened.cloud.name, who=operator_name(), message="node reset")
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


def _problems(folder: Path) -> list[str]:
    from skerry.load.cloud import load_cloud

    try:
        load_cloud(folder)
    except CloudInvalid as error:
        return [str(problem) for problem in error.problems]
    return []
