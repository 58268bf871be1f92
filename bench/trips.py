"""How many round trips a command waits for, counted on the wire and not taken from a clock.

On a way that is so long that whatever a machine computes is short beside it, a piece that is sent
follows from all that had come by then: so the trips that the relay counts are those that had to
come one after the other (see `bench/relay.py`).

Over a connection that stands, ssh first opens a channel, whose number the node gives: a trip that
is OpenSSH's own, before any command is named. It is shown by a channel that comes to nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.figures import Figure, in_multiples
from bench.measure import RunFailed, measure
from bench.relay import __file__ as _relay
from skerry.edge.run import Command, start

RELAY = Path(_relay)
"""Where the relay's program lies."""
LONG = 1.0
"""A round trip in seconds beside which a node's answer takes no time, on a busy machine too."""
ROUNDS = 3
# What ssh says itself ends with this status.
_SSH_FAILED = 255
# A port on which no host listens: tcpmux.
_NOBODY = "127.0.0.1:1"


class LongWay(msgspec.Struct, frozen=True):
    """A way to nodes: an ssh_config whose connections go through relays, and what they note."""

    ssh_config: Path
    notes: Path

    @classmethod
    def make(cls, folder: Path, source: Path, round_trip: float) -> LongWay:
        """Writes `source`, whose hosts have a ProxyCommand, into the folder with relays in it."""
        notes = folder / "trips"
        notes.mkdir()
        before = f"ProxyCommand {sys.executable} -S {RELAY} {round_trip / 2} {notes} "
        config = folder / "ssh_config"
        config.write_text(source.read_text().replace("ProxyCommand ", before))
        return cls(config, notes)

    def count(self, command: Command, *, expect: int = 0) -> int:
        """How many round trips the command waits for, on the connection that has most of them.

        Raises `RunFailed` where its status is not `expect`, and where its connections did not
        stand yet.
        """
        before = {path: count_trips(path) for path in self.notes.iterdir()}
        measure(command, expect=expect)
        if not before or set(self.notes.iterdir()) - set(before):
            raise RunFailed(f"{command} went over new connections")
        return max(count_trips(path) - trips for path, trips in before.items())


class PlainSsh:
    """`ssh` itself over a connection of its own that stands while the block lasts."""

    def __init__(self, way: LongWay, host: str, socket: Path) -> None:
        self._words = ("ssh", "-F", str(way.ssh_config), "-o", "LogLevel=ERROR",
                       "-o", f"ControlPath={socket}")  # fmt: skip
        self._host = host

    def __enter__(self) -> PlainSsh:
        words = (*self._words, "-o", "ControlMaster=auto", "-o", "ControlPersist=yes")
        measure(Command((*words, self._host, "true")))
        return self

    def __exit__(self, *_: object) -> None:
        start(Command((*self._words, "-q", "-O", "exit", self._host))).wait()

    def run(self, remote: str) -> Command:
        """A command on the node: what any client of OpenSSH waits for who asks one thing."""
        return Command((*self._words, self._host, remote))

    def open_nothing(self) -> Command:
        """A channel to where nobody listens: it is asked for and refused, and that is all."""
        return Command((*self._words, "-W", _NOBODY, self._host))


def bench_trips(way: LongWay, host: str, socket: Path, apply: Command) -> list[Figure]:
    """The figures of an apply with nothing to change, whose connections stand.

    The least of the rounds of `apply` counts: an answer that a busy machine gives later than the
    way is long looks as if it had followed from more than it did.
    """
    with PlainSsh(way, host, socket) as ssh:
        opening = way.count(ssh.open_nothing(), expect=_SSH_FAILED)
        plain = way.count(ssh.run("true"))
        ours = min(way.count(apply) for _ in range(ROUNDS))
    return figures_of(ours, plain=plain, opening=opening)


def figures_of(ours: int, *, plain: int, opening: int) -> list[Figure]:
    """The figures of what was counted."""
    return [
        in_multiples("  trips on the wire", "ssh true", [ours], [plain], unit="RTT", goal=1.0),
        Figure(name="    until ssh has its channel", unit="RTT", ours=opening),
        Figure(name="    from then on", unit="RTT", ours=ours - opening, goal=1.0),
    ]


def count_trips(path: Path) -> int:
    """How many round trips have ended by what a relay noted in the file."""
    lines = path.read_text().splitlines()
    return int(lines[-1].split()[1]) if lines else 0
