"""What a command that ran leaves in `.skerry/` for the next one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from skerry.cache.inputs import Inputs, loaded_libraries

if TYPE_CHECKING:
    from skerry.cli.cloud import OpenCloud
    from skerry.cli.main import Settings
    from skerry.model.cloud import Cloud


# The most nodes that are asked before the command is loaded.
EARLY_MOST = 16


def inputs_of(folder: str, cloud: Cloud) -> Inputs:
    """What the cloud was read from, beside what every cloud folder has."""
    from skerry.load.manifest import list_manifest_files

    others = tuple(sorted({*cloud.files}.difference(list_manifest_files(Path(folder)))))
    return Inputs(others, cloud.inventory or "", loaded_libraries())


def keep_questions(settings: Settings, opened: OpenCloud, names: Iterable[str]) -> None:
    """Remembers what the nodes were asked, unless it was what was remembered already.

    Not of many nodes: what is begun early is begun all at once, without the window of `edge`.
    """
    from skerry.cli.flow import question_to

    start, names = settings.start, list(names)
    if start is None or start.glance is None or len(names) > EARLY_MOST:
        return
    if start.begun is not None and start.begun.is_as_asked:
        return
    questions = [question_to(opened, name) for name in names]
    start.glance.keep_questions(inputs_of(start.glance.folder, opened.cloud), questions)
