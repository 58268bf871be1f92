"""``skerry drill kill``: take a node away, place anew, and measure how long what was silent."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.cli.options import timeout_option
from skerry.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.lab import Lab


@click.group()
def drill() -> None:
    """Break something on purpose, and see how long it takes until all is well again."""


@drill.command("kill")
@click.argument("name", metavar="NODE")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--really", is_flag=True, help="Also a node that is not of a lab: it is powered off.")
@click.option(
    "--within",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait after the apply for what is still silent.",
)
@timeout_option
@click.pass_context
def kill(
    context: click.Context, name: str, timeout: float, within: float, *, yes: bool, really: bool
) -> int:
    """Kill a node, start elsewhere what it had, and tell how long each workload was silent.

    A node of a lab vanishes. Any other one is powered off, with --really only, and somebody has
    to switch it on again. Then `skerry apply --without NODE` runs. A workload answers when a host
    port of it does, asked from outside; one without a host port when its units are healthy. Jobs
    and cron jobs are not looked at.

    Exit codes: 0 everything that may run elsewhere answers again; 2 the node may not be killed;
    3 something does not answer, or the apply failed.
    """
    from skerry.cli.apply import apply
    from skerry.cli.cloud import open_cloud
    from skerry.cli.drilling import Drill
    from skerry.cli.leaving import leave_out
    from skerry.render.drill import drill_to_builtins, render_drill

    settings: Settings = context.obj
    opened = open_cloud(settings, wants_images=True)
    (name,) = opened.select_nodes((name,))[:1]
    lab = find_lab(opened, name)
    _agree(settings, name, lab, yes=yes, really=really)
    before = open_cloud(settings, wants_images=True)
    leave_out(opened, (name,))
    found = Drill(before, opened, name, lab, timeout=timeout)
    found.begin()
    try:
        found.kill()
        words = io.StringIO()
        quiet = contextlib.redirect_stdout(words) if settings.json else contextlib.nullcontext()
        found.apply_began = time.monotonic()
        with quiet:
            status: int = context.invoke(
                apply, without=(name,), timeout=timeout, message=f"drill: {name} killed", yes=True
            )
        found.wait_for_answers(within)
    finally:
        found.end()
    results = found.results()
    has_silent = any(one.state == "silent" for one in results)
    if settings.json:
        applied = json.loads(words.getvalue())
        print(json.dumps({**drill_to_builtins(name, results), "apply": applied}, indent=2))
    else:
        print(render_drill(name, results))
        back = f"skerry lab --name {lab.name} start {name}" if lab else f"switch {name} on"
        print(f"bring it back: {back}; then skerry apply")
    if has_silent or _has_failed(status, opened):
        return ExitCode.NODE_FAILED
    return ExitCode.DONE


def find_lab(opened: OpenCloud, name: str) -> Lab | None:
    """The lab that the node is of: the one whose ssh_config the cloud uses, if it has the address.

    None for a node of any other kind.
    """
    from pathlib import Path

    if opened.cloud.ssh_config is None:
        return None
    from skerry.lab import Lab
    from skerry.lab.places import Places

    host = opened.cloud.nodes[name].ssh.rpartition("@")[2]
    for lab_name in Lab.names():
        if Places.of(lab_name).ssh_config == Path(opened.cloud.ssh_config):
            lab = Lab.open(lab_name)
            if any(node.name == name and node.address == host for node in lab.nodes):
                return lab
    return None


def _agree(settings: Settings, name: str, lab: Lab | None, *, yes: bool, really: bool) -> None:
    """Raises UsageError unless the node may be killed."""
    if lab is not None:
        if not yes and sys.stdin.isatty() and not settings.json:
            click.confirm(f"Kill {name} of the lab {lab.name!r}?", abort=True, err=True)
        return
    if not really:
        raise UsageError(
            f"{name} is not of a lab: killing it powers a real computer off",
            hint="--really does that; somebody has to switch it on again",
        )
    if yes:
        return
    if settings.json or not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="--yes --really asks nothing")
    typed = click.prompt(
        f"{name} will be powered off and stays off. Type its name to agree", default="", err=True
    )
    if typed.strip() != name:
        raise UsageError(f"{name} was left alone")


def _has_failed(status: int, opened: OpenCloud) -> bool:
    """Whether the apply failed for another reason than what is held by its volume."""
    return status not in (ExitCode.DONE, ExitCode.NODE_FAILED) or (
        status == ExitCode.NODE_FAILED and not opened.placements.held
    )
