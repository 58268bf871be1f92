"""What a workload is made to do while it is watched, and again with what is left of it."""

from __future__ import annotations

import signal
from typing import Annotated

import msgspec
from msgspec import Meta

from skerry.errors import UsageError

Port = Annotated[int, Meta(ge=1, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One HTTP request to the workload. An answer of 400 and more is a failure."""

    port: Port
    path: str = "/"
    method: str = "GET"
    headers: dict[str, str] = {}
    body: str = ""
    tls: bool = False


class Talk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A connection over TCP: what is sent, and words that must be in the answer."""

    port: Port
    send: str = ""
    expect: str = ""


class Exercise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of a workload: it starts, does this in the order of the fields, and is stopped.

    `start` is the command that goes on running; without it there are only `commands`, each of
    which must end with 0. `signals` are sent to it, and it must answer still. `ready` are ports
    that it listens on when it is up, beside those of the requests; `within` is how long it may
    take for that and for each step, and to stop, in seconds.
    """

    name: str = "exercise"
    start: tuple[str, ...] = ()
    ready: tuple[Port, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    requests: tuple[Request, ...] = ()
    talks: tuple[Talk, ...] = ()
    signals: tuple[str, ...] = ()
    stop: str = "TERM"
    within: Seconds = 30.0

    def ports(self) -> list[int]:
        """The ports that must be listened on before anything is asked."""
        asked = {one.port for one in self.requests} | {one.port for one in self.talks}
        return sorted({*self.ready, *asked})


def parse_signal(name: str) -> str:
    """The name of a signal as exercises have it: ``HUP``. Raises `UsageError` for another word."""
    word = name.upper().removeprefix("SIG")
    known = [one.name.removeprefix("SIG") for one in signal.Signals]
    if word not in known:
        raise UsageError(f"there is no signal {name!r}", hint="HUP, INT, QUIT, TERM, USR1, ...")
    return word


class Setting(msgspec.Struct, frozen=True):
    """How an image's programs run: as its configuration says.

    `env` are the variables, `workdir` where they begin, `user` and `group` their numbers, and
    `groups` further ones.
    """

    env: dict[str, str] = {}
    workdir: str = "/"
    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """How an exercise went: what failed, in order; and the end of what was printed."""

    failures: tuple[str, ...]
    printed: str

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return not self.failures
