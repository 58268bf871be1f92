"""Building the images of a cloud folder into the operator's own store, each only if it changed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import ImageFailed, UsageError
from skerry.images.containerfile import parse_bases, parse_local_name, render_containerfile
from skerry.images.context import copy_sources, read_sources_digest
from skerry.images.debian import Debian
from skerry.images.isolation import read_isolation
from skerry.images.podman import try_inspect, try_inspect_id
from skerry.images.record import BuildRecord, read_records, write_record
from skerry.model.image import DEBIAN, SCRATCH, ImageSource, SlimFile

CONTAINERFILE = "Containerfile"
_REVISION = "1"
"""Raised when the way of building changes so that images have to be built again."""

Say = Callable[[str, str], None]


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """How one image came out. `size` is unpacked, in bytes; `seconds` is what it took."""

    name: str
    id: str
    size: int
    seconds: float
    is_new: bool


class Builder:
    """Builds images of one cloud folder.

    `cache` is the folder's own cache, `machine_cache` is shared by all folders. With `is_fresh`,
    Debian is bootstrapped anew and every image is built whether it changed or not. `say` gets an
    image's name and what is being done for it, `on_built` each image that is done.
    """

    def __init__(
        self,
        sources: dict[str, ImageSource],
        *,
        cache: Path,
        machine_cache: Path,
        is_fresh: bool,
        say: Say,
        on_built: Callable[[Built], None] = lambda built: None,
    ) -> None:
        self.sources = sources
        self.cache = cache
        self.is_fresh = is_fresh
        self.say = say
        self.on_built = on_built
        self._current = ""
        self._debian_cache = machine_cache
        self._bootstrapped: dict[tuple[str, ...], tuple[str, str]] = {}

    def build(self, names: Sequence[str]) -> list[Built]:
        """Builds the named images (all without names) after those that they are based on.

        Raises `UsageError` for an unknown name, `ImageFailed` at the first that cannot be built.
        """
        return [self._build_one(self.sources[name]) for name in plan_order(self.sources, names)]

    def _build_one(self, source: ImageSource) -> Built:
        started = time.monotonic()
        self._current = source.name
        bases = self._ensure_bases(source)
        files = read_sources_digest(Path(source.folder))
        based = " ".join([_REVISION, *(f"{name}={bases[name]}" for name in sorted(bases))])
        known = read_records(self.cache).get(source.name)
        stored = try_inspect(source.reference)
        is_new = self.is_fresh or known is None or stored is None
        if known is not None and stored is not None:
            is_new |= (known.files, known.bases, known.id) != (files, based, stored.id)
        if is_new:
            self.say(source.name, "building")
            self._run_build(source, bases)
            if source.file is not None and source.file.slim is not None:
                self._make_slim(source, source.file.slim)
            stored = try_inspect(source.reference)
            if stored is None:
                raise ImageFailed(f"Podman built the image {source.name} and does not have it")
            record = BuildRecord(files=files, bases=based, id=stored.id, built=time.time())
            write_record(self.cache, source.name, record)
        assert stored is not None
        seconds = time.monotonic() - started
        built = Built(
            name=source.name, id=stored.id, size=stored.size, seconds=seconds, is_new=is_new
        )
        self.on_built(built)
        return built

    def _ensure_bases(self, source: ImageSource) -> dict[str, str]:
        """The images that this one builds on, by the name that the build uses, with their ids.

        An image that only Podman knows where to find has the id "" until it was fetched.
        """
        if source.file is None:
            names = parse_bases((Path(source.folder) / CONTAINERFILE).read_text())
            return {name: self._id_of_base(name) for name in names}
        if source.file.base == SCRATCH:
            return {SCRATCH: ""}
        if source.file.base == DEBIAN:
            return dict([self._ensure_debian(source.file.packages)])
        reference = self.sources[source.file.base].reference
        return {reference: self._id_of_base(reference)}

    def _id_of_base(self, reference: str) -> str:
        if parse_local_name(reference) == DEBIAN:
            return self._ensure_debian(())[1]
        return try_inspect_id(reference) or ""

    def _ensure_debian(self, packages: tuple[str, ...]) -> tuple[str, str]:
        wanted = tuple(sorted(set(packages)))
        if wanted not in self._bootstrapped:
            debian = Debian(
                self._debian_cache,
                # The root is renewed once in a run, not once per image.
                wants_fresh_root=self.is_fresh and not self._bootstrapped,
                wants_fresh_packages=self.is_fresh,
                say=lambda words: self.say(self._current, words),
            )
            self._bootstrapped[wanted] = debian.ensure(wanted)
        return self._bootstrapped[wanted]

    def _run_build(self, source: ImageSource, bases: dict[str, str]) -> None:
        # No cache: Podman's does not ask with which --timestamp a layer was made, so somebody's
        # plain `podman build` of the same recipe would give the image another id.
        with tempfile.TemporaryDirectory(prefix="skerry-build-") as name:
            context = Path(name) / "context"
            options: tuple[str, ...] = ()
            if source.file is None:
                copy_sources(Path(source.folder), context)
            else:
                _write_context(source, next(iter(bases)), context)
                # One layer for all that the recipe adds; and its base is never fetched.
                options = ("--layers=false", "--pull=never")
            built = run(
                Command.of(
                    "podman", "build", "--timestamp", "0", "--no-cache",
                    *read_isolation(), *options,
                    "--file", context / CONTAINERFILE, "--tag", source.reference, context,
                ),
                check=False,
            )  # fmt: skip
        if built.status != 0:
            # Of the words on both streams the last say what went wrong, as on a terminal.
            words = [*built.text.splitlines()[-20:], *built.error_text.splitlines()[-20:]]
            raise ImageFailed(
                f"the image {source.name} cannot be built",
                detail="\n".join(words),
                hint=f"its recipe is in {source.folder}",
            )

    def _make_slim(self, source: ImageSource, wanted: SlimFile) -> None:
        """Puts what its exercises touch in the image's place; all of it is ``NAME:whole`` then."""
        from skerry.images.slim.declared import plan_wish
        from skerry.images.slim.reasons import Reasons, write_reasons
        from skerry.images.slim.slimming import open_source, slim_image

        whole = f"{source.reference}:whole"
        run(Command.of("podman", "tag", source.reference, whole))
        with open_source(whole) as opened:
            command = opened.command()
        wish = plan_wish(wanted, whole, f"{source.reference}:latest", command)
        made = slim_image(wish, say=lambda words: self.say(source.name, words))
        # Of all images on this machine, beside those that are made slim by hand.
        cache = self._debian_cache.parent / "slim"
        write_reasons(cache, made.reference, Reasons(made.id, whole, made.reasons, made.links))


def plan_order(sources: dict[str, ImageSource], names: Sequence[str]) -> list[str]:
    """The named images (all without names) and those they are based on, bases first.

    Raises `UsageError` for an unknown name, `ImageFailed` when images are based on each other.
    """
    for name in names:
        if name not in sources:
            from difflib import get_close_matches

            near = get_close_matches(name, sources, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"images: {', '.join(sources)}"
            raise UsageError(
                f"there is no image {name!r} in this cloud folder",
                hint=hint if sources else "an image is a folder images/NAME",
            )
    graph: dict[str, list[str]] = {}
    waiting = list(names or sources)
    while waiting:
        name = waiting.pop()
        if name not in graph:
            graph[name] = sorted(_local_bases(sources[name], sources))
            waiting += graph[name]
    sorter = TopologicalSorter({name: graph[name] for name in sorted(graph)})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ImageFailed(
            f"these images are based on each other: {circle}",
            hint="one of them must start from something else",
        ) from None


def _local_bases(source: ImageSource, sources: dict[str, ImageSource]) -> set[str]:
    if source.file is not None:
        return {source.file.base} & sources.keys()
    text = (Path(source.folder) / CONTAINERFILE).read_text()
    return {name for base in parse_bases(text) if (name := parse_local_name(base)) in sources}


def _write_context(source: ImageSource, base: str, context: Path) -> None:
    """The build's context of an ``image.yaml``: its files, and the Containerfile."""
    assert source.file is not None
    context.mkdir()
    copies: list[tuple[str, str]] = []
    for number, (path, name) in enumerate(source.file.files.items()):
        place = (Path(source.folder) / name).resolve()
        copy_sources(place, context / f"file-{number}")
        tail = "/" if place.is_dir() else ""
        copies.append((f"file-{number}{tail}", path.rstrip("/") + tail))
    (context / CONTAINERFILE).write_text(render_containerfile(source.file, base, copies))
