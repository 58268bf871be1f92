"""``skerry check``: all errors of the cloud folder at once, without a network."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from skerry.cli.main import Settings
from skerry.cli.verdict import render_verdict
from skerry.errors import CloudInvalid, ExitCode

if TYPE_CHECKING:
    from skerry.compile.tree import Tree
    from skerry.model.cloud import Cloud


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_obj
def check(settings: Settings, *, as_json: bool) -> int:
    """Validate the whole cloud folder and show all of its errors.

    Needs no network. Each error has its file (relative to the cloud folder), line and column.
    The exit status is 0 or, with errors, 2.
    """
    from skerry.load.cloud import find_cloud_folder

    as_json = as_json or settings.json
    begun = time.perf_counter()
    folder = find_cloud_folder(settings.folder)
    try:
        cloud = check_folder(folder)
    except CloudInvalid as error:
        # The errors are what the command was asked for, so they are its output.
        from skerry.render.errors import error_to_builtins, render_error

        shown = json.dumps({"ok": False, **error_to_builtins(error)})
        click.echo(shown if as_json else render_error(error))
        return ExitCode.INVALID
    verdict = {
        "name": cloud.name,
        "nodes": len(cloud.nodes),
        "workloads": len(cloud.workloads),
        "configMaps": len(cloud.config_maps),
    }
    click.echo(render_verdict(verdict, time.perf_counter() - begun, as_json=as_json))
    if settings.start is not None and settings.start.glance is not None:
        from skerry.cli.remember import inputs_of

        glance = settings.start.glance
        glance.keep_verdict(inputs_of(glance.folder, cloud), verdict)
    return ExitCode.DONE


def check_folder(folder: Path) -> Cloud:
    """All checks that need no network. Raises CloudInvalid with every problem."""
    return compile_folder(folder)[0]


def compile_folder(folder: Path) -> tuple[Cloud, dict[str, Tree]]:
    """The cloud and its trees as far as they are known without a network and without a key:
    images have no ids, secrets no values. Raises CloudInvalid with every problem."""
    from skerry.compile.cloud import compile_cloud
    from skerry.compile.lock import ResolvedImage
    from skerry.load.cloud import load_cloud
    from skerry.load.lockfile import read_lock

    cloud = load_cloud(folder)
    # Which images there are is a matter of the operator's store and not of the folder.
    any_image = ResolvedImage(id="0" * 64, size=0)
    references = {
        container.image
        for workload in cloud.workloads.values()
        for container in workload.spec.all_containers
    }
    lock = read_lock(folder)
    images = dict.fromkeys(references, any_image)
    return cloud, compile_cloud(cloud, msgspec.structs.replace(lock, images=images))
