"""What a command that ran leaves in `.skerry/` for the next one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from skerry.cache.inputs import Inputs, loaded_libraries

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.cli.main import Settings
    from skerry.model.cloud import Cloud
    from skerry.plan.plan import Plan


# The most nodes that are asked before the command is loaded: three pipes each are fewer than the
# 1,024 files that a process may have open where nobody has said otherwise.
EARLY_MOST = 256


def inputs_of(folder: str, cloud: Cloud) -> Inputs:
    """What the cloud was read from, beside what every cloud folder has."""
    from skerry.load.manifest import list_manifest_files

    others = tuple(sorted({*cloud.files}.difference(list_manifest_files(Path(folder)))))
    return Inputs(others, cloud.inventory or "", loaded_libraries())


def keep_questions(settings: Settings, opened: OpenCloud, names: Iterable[str]) -> None:
    """Remembers what the nodes were asked, unless it was what was remembered already."""
    from skerry.cli.flow import question_to
    from skerry_node import wire

    start, names = settings.start, list(names)
    if start is None or start.glance is None or len(names) > EARLY_MOST:
        return
    if start.begun is not None and start.begun.is_as_asked:
        return
    questions = [question_to(opened, name) for name in names]
    inputs = inputs_of(start.glance.folder, opened.cloud)
    files = _files_of(opened, names)
    start.glance.keep_questions(inputs, questions, files, wire.WILL_OBSERVE)


def _files_of(opened: OpenCloud, names: list[str]) -> dict[str, set[int]]:
    """The files of the workloads, with the places in `names` of the nodes that run them."""
    found: dict[str, set[int]] = {}
    for workload in opened.cloud.workloads.values():
        running = opened.placements.of(workload.name)
        numbers = {number for number, name in enumerate(names) if name in running}
        found.setdefault(workload.manifest.origin.file, set()).update(numbers)
    return found


def keep_rest(settings: Settings, opened: OpenCloud, planned: Plan) -> None:
    """Remembers that there was nothing to change, where the nodes were asked as the last time.

    Not where there was more to say, or where the values of secrets are what commands print.
    """
    from skerry.push.image_cache import try_find_stamp
    from skerry.render.plan import render_counts, render_plan
    from skerry.render.text import Palette

    start, words = settings.start, render_counts(planned)
    if start is None or start.glance is None or start.begun is None or not start.begun.is_as_asked:
        return
    if planned.changed or render_plan(planned, Palette(is_on=True), is_verbose=True) != words:
        return
    file = opened.cloud.secrets_file
    if file is not None and any(entry.command for entry in file.secrets.values()):
        return
    store = None
    if opened.lock.images:
        stamp = try_find_stamp(opened.cache, opened.lock.images)
        if stamp is None:
            return
        store = stamp.to_state()
    start.glance.keep_rest(start.begun.heard(), time.time(), store=store, words=words)
