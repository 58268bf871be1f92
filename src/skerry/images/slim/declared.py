"""The exercises that an ``image.yaml`` declares."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from skerry.errors import ImageFailed
from skerry.images.slim.exercise import Exercise, Request, Talk, parse_signal
from skerry.images.slim.slimming import Wish
from skerry.model.image import SlimExercise, SlimFile


def plan_wish(wanted: SlimFile, source: str, target: str, command: Sequence[str]) -> Wish:
    """What is to be made of the image `source`, whose own command this is.

    Without exercises the command is run to its end.
    """
    declared = wanted.exercises or (SlimExercise(),)
    return Wish(
        source=source,
        target=target,
        exercises=tuple(_plan_exercise(one, tuple(command)) for one in declared),
        presets=wanted.presets,
        keep=wanted.keep,
        drop=wanted.drop,
    )


def _plan_exercise(declared: SlimExercise, command: tuple[str, ...]) -> Exercise:
    words = declared.start or command
    is_server = bool(
        declared.start or declared.http or declared.tcp or declared.signals or declared.ready
    )
    commands = declared.commands
    if not is_server and not commands:
        commands = (words,) if words else ()
    if (is_server and not words) or (not is_server and not commands):
        raise ImageFailed(
            "the image has no command of its own that an exercise could run",
            hint="slim.exercises: `start` or `commands` say what to run",
        )
    return Exercise(
        name=declared.name or shlex.join(words or commands[0])[:60],
        start=words if is_server else (),
        ready=declared.ready,
        commands=commands,
        requests=tuple(
            Request(
                port=one.port,
                path=one.path,
                method=one.method,
                headers=dict(one.headers),
                body=one.body,
                tls=one.tls,
            )
            for one in declared.http
        ),
        talks=tuple(Talk(port=one.port, send=one.send, expect=one.expect) for one in declared.tcp),
        signals=tuple(map(parse_signal, declared.signals)),
        stop=parse_signal(declared.stop),
        within=declared.within,
    )
