"""Running exercises in sandboxes of their own, and reading what they touched."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from skerry.edge.run import Command, replace, run
from skerry.errors import CommandFailed, ImageFailed
from skerry.images.slim.exercise import Exercise, Outcome, Setting
from skerry.images.slim.sandbox import Task
from skerry.images.slim.trace import Trace
from skerry.images.slim.tracing import read_folder

_NAMESPACES = (
    "--mount",
    "--pid",
    "--net",
    "--ipc",
    "--uts",
    "--fork",
    "--kill-child",
    "--mount-proc",
)
# How long a sandbox may take beside what its exercise says for each step, in seconds.
_BESIDE = 60.0


def become_root() -> None:
    """Begins this program anew as root of a user namespace, where it is not root.

    That is Podman's own (``podman unshare``): the image store is seen there as root sees its own.
    Returns where nothing is to be done.
    """
    if os.geteuid() != 0:
        replace(Command.of("podman", "unshare", sys.executable, "-m", "skerry", *sys.argv[1:]))


def run_exercise(root: Path, exercise: Exercise, setting: Setting) -> tuple[Outcome, Trace]:
    """Runs an exercise in a root file system, which stays as it is; how it went, what it touched.

    The paths of the trace are those of the root. Raises `ImageFailed` where this machine does not
    let sandboxes be made.
    """
    with _work_folder() as work:
        task = Task(str(root.resolve()), str(work / "sandbox"), exercise, setting)
        (work / "sandbox").mkdir()
        (work / "task").write_bytes(msgspec.json.encode(task))
        steps = 4 + len(exercise.commands) + len(exercise.requests) + len(exercise.talks)
        steps += len(exercise.signals) * (2 + len(exercise.requests) + len(exercise.talks))
        command = Command.of(
            "unshare", *_NAMESPACES, "--",
            sys.executable, "-m", "skerry.images.slim.sandbox", work / "task", work / "answer",
        )  # fmt: skip
        finished = run(command, check=False, timeout=_BESIDE + exercise.within * steps)
        if finished.status != 0:
            raise ImageFailed(
                f"the exercise {exercise.name} could not be run here",
                detail=finished.error_text[-2000:],
                hint="it needs namespaces of its own: as root, or with user namespaces and a range "
                "of numbers in /etc/subuid",
            )
        outcome = msgspec.json.decode((work / "answer").read_bytes(), type=Outcome)
        view = str(work / "sandbox/view")
        return outcome, read_folder(work / "sandbox", folder="/", root=view)


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder that goes, with whatever others own in it."""
    folder = Path(tempfile.mkdtemp(prefix="skerry-exercise-"))
    try:
        yield folder
    finally:
        try:
            run(Command.of("rm", "-rf", "--", folder))
        except CommandFailed as error:
            raise ImageFailed(f"{folder} cannot be removed", detail=error.detail) from None
