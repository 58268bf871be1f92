"""``skerry image slim`` and ``why``: an image of only what its workload needs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from skerry.cli.main import Settings
from skerry.errors import UsageError

if TYPE_CHECKING:
    from skerry.images.slim.exercise import Exercise, Request


@click.command()
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--as", "target", metavar="NAME", help="The new image's name.  [default: NAME:slim]")
@click.option(
    "--http",
    "requests",
    multiple=True,
    metavar="PORT[/PATH]",
    help="It is a server: ask it this, and expect less than 400.",
)
@click.option(
    "--tcp",
    "ports",
    multiple=True,
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="It is a server: connect to it.",
)
@click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="WORDS",
    help="Run this too, beside the server or after the command.",
)
@click.option("--signal", "signals", multiple=True, metavar="HUP", help="Send it this signal.")
@click.option(
    "--keep", multiple=True, metavar="PATTERN", help="Keep these paths: /etc/app/**, /lib/*/x.so"
)
@click.option("--drop", multiple=True, metavar="PATTERN", help="Leave these paths out.")
@click.option(
    "--preset",
    "presets",
    multiple=True,
    metavar="NAME",
    help="More than what was touched: certs, gconv, locale, names, users, zones; `none` for "
    "nothing.  [default: users,names]",
)
@click.option(
    "--within",
    type=click.FloatRange(min=0.1, max=3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long each step may take.",
)
@click.pass_obj
def slim(
    settings: Settings,
    name: str,
    words: tuple[str, ...],
    target: str | None,
    requests: tuple[str, ...],
    ports: tuple[int, ...],
    commands: tuple[str, ...],
    signals: tuple[str, ...],
    keep: tuple[str, ...],
    drop: tuple[str, ...],
    presets: tuple[str, ...],
    within: float,
) -> None:
    """Make an image of only what its workload needs.

    The image's command, or COMMAND, is run in it, is watched, and has to do what the options say.
    What it touched is kept, with all that needs: links, interpreters, loaders, libraries. Then the
    same is done with what is left, and only where that works there is a new image.

    Nothing that the workload writes or connects to leaves its sandbox: it has a loopback interface
    of its own, and changes to files go with it.
    """
    from skerry.cli.progress import Progress
    from skerry.edge.paths import cache_folder
    from skerry.images.slim.exercising import become_root
    from skerry.images.slim.presets import choose_presets
    from skerry.images.slim.reasons import Reasons, write_reasons
    from skerry.images.slim.slimming import Wish, open_source, slim_image

    become_root()
    source = _reference_of(name)
    with open_source(source) as opened:
        own = opened.command()
    wish = Wish(
        source=source,
        target=_reference_of(target) if target else f"{_without_tag(source)}:slim",
        exercises=(_exercise(words or own, source, requests, ports, commands, signals, within),),
        presets=choose_presets(presets),
        keep=keep,
        drop=drop,
    )
    progress = Progress([name], is_quiet=settings.json)
    made = slim_image(wish, say=lambda said: progress.show(name, said, "dim"))
    write_reasons(
        cache_folder() / "slim", made.reference, Reasons(made.id, source, made.reasons, made.links)
    )
    if settings.json:
        import msgspec

        found = {
            "reference": made.reference, "id": made.id, "size": made.size, "before": made.before,
            "paths": len(made.reasons),
        }  # fmt: skip
        print(msgspec.json.encode(found).decode())
        return
    from skerry.render.units import format_memory

    sizes = f"{format_memory(made.before)} -> {format_memory(made.size)}"
    print(f"{made.reference}: {sizes}, {len(made.reasons)} paths")


@click.command()
@click.argument("name")
@click.argument("path")
@click.pass_obj
def why(settings: Settings, name: str, path: str) -> None:
    """Say why a slim image has a path, or has it not.

    NAME is the image as `skerry image slim` made it; without a tag it is NAME:slim.
    """
    import posixpath

    from skerry.edge.paths import cache_folder
    from skerry.images.slim.reasons import read_reasons

    reference = _reference_of(name)
    if reference == _without_tag(reference):
        reference += ":slim"
    reasons = read_reasons(cache_folder() / "slim", reference)
    real = reasons.follow(posixpath.normpath(path))
    found = reasons.paths.get(real)
    if settings.json:
        import msgspec

        answer = {"path": real, "is_kept": found is not None, "why": found or ""}
        print(msgspec.json.encode(answer).decode())
    elif found is None:
        print(f"{path}: not kept: no exercise, preset or pattern led to it")
    else:
        print(f"{path}: {found}" if real == path else f"{path} is {real}: {found}")


def _exercise(
    words: tuple[str, ...],
    source: str,
    requests: tuple[str, ...],
    ports: tuple[int, ...],
    commands: tuple[str, ...],
    signals: tuple[str, ...],
    within: float,
) -> Exercise:
    from skerry.images.slim.exercise import Exercise, Talk, parse_signal

    if not words:
        raise UsageError(
            f"{source} has no command of its own", hint=f"skerry image slim {source} -- COMMAND"
        )
    more = tuple(tuple(shlex.split(one)) for one in commands)
    is_server = bool(requests or ports or signals)
    return Exercise(
        name=shlex.join(words)[:60],
        start=words if is_server else (),
        commands=more if is_server else (words, *more),
        requests=tuple(_request(one) for one in requests),
        talks=tuple(Talk(port=port) for port in ports),
        signals=tuple(map(parse_signal, signals)),
        within=within,
    )


def _request(words: str) -> Request:
    from skerry.images.slim.exercise import Request

    port, _, path = words.partition("/")
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UsageError(f"--http {words}: no port", hint="--http 8080/health")
    return Request(port=int(port), path=f"/{path}")


def _reference_of(name: str) -> str:
    """``localhost/NAME`` for a name alone."""
    return name if "/" in name else f"localhost/{name}"


def _without_tag(reference: str) -> str:
    head, separator, last = reference.rpartition("/")
    return f"{head}{separator}{last.partition(':')[0]}"
