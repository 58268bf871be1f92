"""``skerry image``: the images of the cloud folder, built into the operator's own store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from skerry.cli.image_slim import slim, why
from skerry.cli.image_trace import from_spec, trace
from skerry.cli.main import Settings
from skerry.cli.options import list_options

if TYPE_CHECKING:
    from skerry.images.build import Built
    from skerry.images.listing import ListedImage


@click.group()
def image() -> None:
    """Build the images of the cloud folder (images/NAME), list them, and make them small."""


@image.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--fresh",
    "is_fresh",
    is_flag=True,
    help="Build all of it again, on today's Debian packages, whether it changed or not.",
)
@click.pass_obj
def build(settings: Settings, names: tuple[str, ...], *, is_fresh: bool) -> None:
    """Build images/NAME as localhost/NAME, as far as sources, recipe or base changed.

    The same sources give the same image, bit for bit. Without NAME all images are built; with
    it, those and the images of the folder that they are based on.
    """
    from skerry.cli.cloud import CACHE
    from skerry.cli.progress import Progress
    from skerry.edge.paths import cache_folder
    from skerry.images.build import Builder
    from skerry.load.cloud import find_cloud_folder
    from skerry.load.image import load_images

    folder = find_cloud_folder(settings.folder)
    sources = load_images(folder)
    if any(one.file is not None and one.file.slim is not None for one in sources.values()):
        from skerry.images.slim.exercising import become_root

        become_root()
    progress = Progress(list(sources), is_quiet=settings.json)
    builder = Builder(
        sources,
        cache=folder / CACHE,
        machine_cache=cache_folder() / "images",
        is_fresh=is_fresh,
        say=lambda name, words: progress.show(name, words, "dim"),
        on_built=lambda one: progress.show(one.name, _words_of(one)),
    )
    built = builder.build(names)
    if settings.json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode({"images": built}), indent=2).decode())
        return
    print(_summary(built))


@image.command("ls")
@list_options
@click.pass_obj
def list_images(settings: Settings, *, columns: str | None, no_header: bool) -> None:
    """List the images of the cloud folder: id, size, when they were built, and their state.

    STATE is `ready`, `changed` (since the last build: sources or recipe), `foreign` (something
    else has the name in the store) or `not built`.
    """
    from skerry.cli.cloud import CACHE
    from skerry.images.listing import list_sources
    from skerry.load.cloud import find_cloud_folder
    from skerry.load.image import load_images
    from skerry.render.table import Column, choose_columns, render_table
    from skerry.render.text import Palette, wants_colour

    folder = find_cloud_folder(settings.folder)
    listed = list_sources(load_images(folder), cache=folder / CACHE)
    if settings.json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode({"images": listed}), indent=2).decode())
        return
    known = (
        Column("name"),
        Column("id"),
        Column("size", is_number=True),
        Column("built", is_number=True),
        Column("state"),
        Column("recipe", is_default=False),
        Column("reference", is_default=False),
    )
    palette = Palette(is_on=wants_colour())
    rows = [_row(one) for one in listed]
    print(
        render_table(choose_columns(known, columns), rows, palette, has_header=not no_header)
        or "this cloud folder has no images: an image is a folder images/NAME"
    )


def _words_of(one: Built) -> str:
    from skerry.render.units import format_memory

    if not one.is_new:
        return f"unchanged, {one.id[:12]}"
    return f"built {one.id[:12]} in {one.seconds:.1f} s, {format_memory(one.size)}"


def _summary(built: list[Built]) -> str:
    if not built:
        return "nothing to build: this cloud folder has no images/NAME"
    new = sum(one.is_new for one in built)
    seconds = sum(one.seconds for one in built)
    return f"{new} built, {len(built) - new} unchanged in {seconds:.1f} s"


def _row(one: ListedImage) -> dict[str, str]:
    import time

    from skerry.render.units import format_age, format_memory

    return {
        "name": one.name,
        "id": one.id[:12],
        "size": format_memory(one.size) if one.id else "",
        "built": format_age(max(0.0, time.time() - one.built)) if one.built else "",
        "state": one.state,
        "recipe": one.recipe,
        "reference": one.reference,
    }


for command in (from_spec, slim, trace, why):
    image.add_command(command)
