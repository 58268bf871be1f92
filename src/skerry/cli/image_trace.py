"""``skerry image trace`` and ``from-spec``: what a command needs of this machine, and just that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.errors import UsageError

if TYPE_CHECKING:
    from skerry.images.slim.closure import Closure
    from skerry.images.slim.spec import Spec

_PLAIN = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=_PLAIN)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default="spec",
    show_default=True,
    metavar="FILE",
    help="The file that the paths are written to.",
)
@click.option(
    "--add", "is_added", is_flag=True, help="Keep what the file has already: another exercise."
)
@click.argument("words", nargs=-1, required=True, metavar="[--] COMMAND...", type=click.UNPROCESSED)
@click.pass_obj
def trace(settings: Settings, words: tuple[str, ...], target: Path, *, is_added: bool) -> int:
    """Run a command on this machine and write down which files it needs.

    The command runs as it would without Skerry, with the same input, output and exit code. FILE
    has one path a line, sorted: the program, its interpreter and libraries, and all that it opened
    or looked at; not what it made itself. Edit it, and build from it: `skerry image from-spec`.
    """
    from skerry.images.slim.closure import Closure, Reason
    from skerry.images.slim.root import DiskRoot
    from skerry.images.slim.spec import Spec, parse_spec, render_spec, unite_specs
    from skerry.images.slim.tracing import drop_made, trace_command

    if not target.parent.is_dir() or (target.exists() and not os.access(target, os.W_OK)):
        # Before the command has run for nothing.
        raise UsageError(f"{target} cannot be written")
    known = [parse_spec(_read(target), str(target))] if is_added and target.exists() else []
    traced = trace_command(words)
    closure = Closure(DiskRoot(Path("/")))
    closure.keep(drop_made(traced.trace.needed(), traced), Reason("traced"))
    closure.keep(traced.trace.made_in(), Reason("something is made in it"))
    found = Spec(tuple(closure.wanted()), words)
    united = unite_specs([*known, found])
    try:
        target.write_text(render_spec(united), errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None
    _say_found(settings, target, united, traced.status)
    return traced.status


@click.command("from-spec")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="SPEC...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--name", metavar="NAME", help="Make the image localhost/NAME of it.")
@click.option(
    "--root",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Make a root file system in DIR, for chroot or systemd.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Make an OCI bundle in DIR, which `crun run -b DIR NAME` starts.",
)
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="NAME",
    help="More than what was touched: certs, gconv, locale, names, users, zones; `none` for "
    "nothing. Without it: users and names.",
)
@click.pass_obj
def from_spec(
    settings: Settings,
    files: tuple[Path, ...],
    name: str | None,
    folder: Path | None,
    bundle: Path | None,
    presets: tuple[str, ...],
) -> None:
    """Build from the files of this machine that one or several specs name, and nothing else.

    Owners, modes, times, file capabilities and hard links stay. What a file needs is added: links
    on the way to it, its interpreter, its loader and libraries. A path that is not there is an
    error.
    """
    from skerry.images.slim.building import build_bundle, build_image, build_root
    from skerry.images.slim.spec import parse_spec, unite_specs

    if sum(target is not None for target in (name, folder, bundle)) != 1:
        raise UsageError(
            "what is to be made of it?", hint="one of --name NAME, --root DIR and --bundle DIR"
        )
    spec = unite_specs([parse_spec(_read(file), str(file)) for file in files])
    closure = _close(spec, presets)
    if name is not None:
        words = build_image(closure, spec, name)
    elif folder is not None:
        words = build_root(closure, folder)
    else:
        assert bundle is not None
        words = build_bundle(closure, spec, bundle)
    if settings.json:
        import msgspec

        print(msgspec.json.encode(words).decode())
        return
    from skerry.render.units import format_memory

    print(f"{words.target}: {words.files} paths, {format_memory(words.size)}")


def _close(spec: Spec, presets: tuple[str, ...]) -> Closure:
    from skerry.images.slim.closure import Closure, Reason
    from skerry.images.slim.presets import ALWAYS, PRESETS, choose_presets
    from skerry.images.slim.root import DiskRoot
    from skerry.images.slim.spec import BELOW

    chosen = choose_presets(presets)
    closure = Closure(DiskRoot(Path("/")))
    for path in spec.paths:
        reason = Reason("spec")
        if not path.endswith(BELOW):
            closure.keep([path], reason)
        elif not closure.keep_matching(path, reason):
            closure.missing[path] = reason
    if closure.missing:
        raise UsageError(
            f"{len(closure.missing)} paths of the spec are not on this machine",
            hint="trace again, or take them out of the spec",
            detail="\n".join(sorted(closure.missing)),
        )
    for path in ALWAYS:
        closure.keep_matching(path, Reason("in every container"))
    for one in chosen:
        for pattern in PRESETS[one]:
            closure.keep_matching(pattern, Reason("preset", one))
    return closure


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _say_found(settings: Settings, target: Path, spec: Spec, status: int) -> None:
    if settings.json:
        import msgspec

        found = {"file": str(target), "paths": len(spec.paths), "status": status}
        click.echo(msgspec.json.encode(found).decode(), err=True)
        return
    ended = f"; the command ended with {status}" if status else ""
    click.echo(f"{target}: {len(spec.paths)} paths{ended}", err=True)
