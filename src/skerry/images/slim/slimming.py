"""An image of only what a workload needs: watched while it works, made, and made to work again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import ImageFailed
from skerry.images.archive import write_archive
from skerry.images.podman import try_inspect
from skerry.images.slim.closure import Closure, Reason
from skerry.images.slim.exercise import Exercise, Setting
from skerry.images.slim.exercising import run_exercise
from skerry.images.slim.layer import write_layer_of
from skerry.images.slim.presets import ALWAYS, PRESETS
from skerry.images.slim.root import DiskRoot
from skerry.images.slim.trace import Trace
from skerry.images.slim.users import find_user

# More of them are not read by anybody.
_SHOWN = 20


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be made: of the image `source` the image `target`, which works as the exercises
    say. `keep` are patterns of paths that stay whatever happens, and `drop` of those that go."""

    source: str
    target: str
    exercises: tuple[Exercise, ...]
    presets: tuple[str, ...]
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class Slimmed(msgspec.Struct, frozen=True, kw_only=True):
    """What was made. `size` and `before` are unpacked, in bytes; `reasons` say of each path that
    is kept why it is, and `links` where symbolic ones lead to."""

    reference: str
    id: str
    size: int
    before: int
    reasons: dict[str, str]
    links: dict[str, str]


class Source(msgspec.Struct, frozen=True):
    """An image in the operator's store: the folder of its root, and its configuration."""

    folder: Path
    config: dict[str, Any]
    size: int

    def command(self) -> tuple[str, ...]:
        """What it runs where nothing else is said."""
        return (*(self.config.get("Entrypoint") or ()), *(self.config.get("Cmd") or ()))

    def setting(self) -> Setting:
        """How its programs run."""
        user, group, groups = find_user(DiskRoot(self.folder), self.config.get("User") or "")
        pairs = [entry.partition("=") for entry in self.config.get("Env") or ()]
        return Setting(
            env={name: value for name, _, value in pairs},
            workdir=self.config.get("WorkingDir") or "/",
            user=user,
            group=group,
            groups=groups,
        )


@contextmanager
def open_source(reference: str) -> Iterator[Source]:
    """The image's root, to be looked at and not to be changed. Raises `ImageFailed` if there is
    no such image."""
    if try_inspect(reference) is None:
        raise ImageFailed(
            f"there is no image {reference} here",
            hint="`skerry image build` builds those of the cloud folder; `podman pull` fetches",
        )
    inspected = run(Command.of("podman", "image", "inspect", "--", reference)).stdout
    found = msgspec.json.decode(inspected)[0]
    mounted = run(Command.of("podman", "image", "mount", reference)).text
    try:
        yield Source(Path(mounted), found.get("Config") or {}, int(found["Size"]))
    finally:
        run(Command.of("podman", "image", "unmount", reference), check=False)


def slim_image(wish: Wish, *, say: Callable[[str], None]) -> Slimmed:
    """Makes the image; `say` is told what is being done.

    Raises `ImageFailed` where an exercise fails, before with the whole image or after with what
    was kept of it, and names what was then looked for and was not there.
    """
    with open_source(wish.source) as source:
        traces = []
        for exercise in wish.exercises:
            say(f"watching {exercise.name}")
            traces.append(_watch(source, exercise))
        closure = close_over(source, wish, traces)
        with tempfile.TemporaryDirectory(prefix="skerry-slim-") as name:
            layer = Path(name) / "layer.tar"
            size = write_layer_of(DiskRoot(source.folder), closure.kept, layer)
            for exercise in wish.exercises:
                say(f"trying {exercise.name} with what is left")
                _try_again(source, layer, exercise, closure)
            links = closure.links()
            archive = Path(name) / "image.tar"
            image_id = write_archive(archive, [layer], wish.target, config=source.config)
            run(Command.of("podman", "load", "--quiet", "--input", archive))
    reasons = {path: str(reason) for path, reason in sorted(closure.kept.items())}
    return Slimmed(
        reference=wish.target,
        id=image_id,
        size=size,
        before=source.size,
        reasons=reasons,
        links=links,
    )


def close_over(source: Source, wish: Wish, traces: Sequence[Trace]) -> Closure:
    """What is kept of the image, and why; `traces` are those of the exercises.

    Raises `ImageFailed` for a pattern that means nothing.
    """
    closure = Closure(DiskRoot(source.folder))
    for path in ALWAYS:
        closure.keep_matching(path, Reason("in every container"))
    for exercise, trace in zip(wish.exercises, traces, strict=True):
        # What the workload made is in a layer of its own: it is not in the image.
        closure.keep(trace.needed(), Reason("touched by", exercise.name))
        closure.keep(trace.made_in(), Reason("something is made in it by", exercise.name))
    closure.missing.clear()
    for preset in wish.presets:
        for pattern in PRESETS[preset]:
            closure.keep_matching(pattern, Reason("preset", preset))
    for pattern in wish.keep:
        if not closure.keep_matching(pattern, Reason("kept by", pattern)):
            raise ImageFailed(f"nothing in {wish.source} is {pattern}, which is to be kept")
    for pattern in wish.drop:
        for path in closure.matching(pattern):
            closure.kept.pop(path, None)
    return closure


def _watch(source: Source, exercise: Exercise) -> Trace:
    outcome, trace = run_exercise(source.folder, exercise, source.setting())
    if not outcome.is_good:
        raise ImageFailed(
            f"the exercise {exercise.name} fails with the whole image: {outcome.failures[0]}",
            detail="\n".join([*outcome.failures, outcome.printed]).rstrip(),
            hint="it must work before anything is taken away",
        )
    return trace


def _try_again(source: Source, layer: Path, exercise: Exercise, closure: Closure) -> None:
    with _unpacked(layer) as folder:
        outcome, trace = run_exercise(folder, exercise, source.setting())
    if outcome.is_good:
        return
    whole = Closure(DiskRoot(source.folder))
    whole.keep(trace.missed, Reason("missed"))
    absent = [path for path in whole.wanted() if path not in closure.kept]
    detail = [*outcome.failures, *_shown("looked for, and not kept:", absent), outcome.printed]
    raise ImageFailed(
        f"the exercise {exercise.name} fails with what was kept: {outcome.failures[0]}",
        detail="\n".join(detail).rstrip(),
        hint="keep what is missing (--keep PATTERN), or let the exercise do more",
    )


def _shown(title: str, paths: Sequence[str]) -> list[str]:
    if not paths:
        return []
    more = [f"  and {len(paths) - _SHOWN} more"] if len(paths) > _SHOWN else []
    return [title, *(f"  {path}" for path in paths[:_SHOWN]), *more]


@contextmanager
def _unpacked(layer: Path) -> Iterator[Path]:
    """A layer as a folder, which goes."""
    with tempfile.TemporaryDirectory(prefix="skerry-slim-") as name:
        folder = Path(name) / "root"
        folder.mkdir()
        unpack = (
            "tar", "--extract", "--file", str(layer), "--directory", str(folder),
            "--numeric-owner", "--same-permissions", "--xattrs", "--xattrs-include=*",
            "--delay-directory-restore",
        )  # fmt: skip
        run(Command(unpack))
        try:
            yield folder
        finally:
            run(Command.of("rm", "-rf", "--", folder))
