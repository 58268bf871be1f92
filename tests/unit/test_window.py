"""The window in which connections are begun: bounded, and not held by who only waits."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from threading import Barrier, Event, Thread

import pytest

from skerry.edge.ssh import is_turned_away
from skerry.edge.window import FILES_EACH, Window, allow_files

# Longer than anything here takes, on the busiest machine.
LONG = 60.0


def begin(places: Window, has_begun: Event) -> None:
    """Waits for a place and says so."""
    places.enter()
    has_begun.set()


def test_no_more_than_its_size_begin_at_a_time() -> None:
    places = Window(2, least_hold=LONG)
    first, second = places.enter(), places.enter()
    third = Event()
    Thread(target=begin, args=(places, third), daemon=True).start()
    assert not third.wait(0.3)
    first.leave()
    assert third.wait(LONG)
    second.leave()


def test_who_only_waits_holds_no_place() -> None:
    """Nobody leaves, as where all are dead: the next begins all the same, a little later."""
    places = Window(2, least_hold=0.1)
    done = Barrier(7)

    def begin_and_wait() -> None:
        places.enter()
        done.wait(LONG)

    for _ in range(6):
        Thread(target=begin_and_wait, daemon=True).start()
    done.wait(LONG)


def test_a_place_is_given_back_once() -> None:
    places = Window(1, least_hold=LONG)
    with places.enter() as place:
        place.leave(has_answered=True)
        other = places.enter()
    # The end of the block must not give back the place that is another's by now.
    third = Event()
    Thread(target=begin, args=(places, third), daemon=True).start()
    assert not third.wait(0.3)
    other.leave()
    assert third.wait(LONG)


def test_on_a_slow_machine_a_place_is_held_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all take 2 s because the machine is busy, who has taken 1 s is not waiting for the
    network: one more at work would make it slower for all."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    places = Window(1, least_hold=0.5)
    for _ in range(3):
        place = places.enter()
        now += 2.0
        place.leave(has_answered=True)
    places.enter()
    now += 1.0
    assert places.wait_time() == pytest.approx(3.0)
    now += 3.5
    assert places.wait_time() == 0.0


@pytest.fixture
def few_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_files")
def test_files_are_allowed_for_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_files(3)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1024
    allow_files(1000)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert soft == hard or soft >= 1000 * FILES_EACH


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (255, "kex_exchange_identification: read: Connection reset by peer\n"
              "Connection reset by 198.18.1.10 port 22", True),
        (255, "kex_exchange_identification: Connection closed by remote host", True),
        # Behind the log-in: something may have been begun there.
        (255, "Connection to 198.18.1.10 closed by remote host.", False),
        (255, "Connection closed by 198.18.1.10 port 22", False),
        (255, "ssh: connect to host 198.18.1.10 port 22: Connection refused", False),
        (1, "kex_exchange_identification: read: Connection reset by peer", False),
    ],
)  # fmt: skip
def test_turned_away(status: int, words: str, expected: bool) -> None:  # noqa: FBT001
    assert is_turned_away(status, words.encode()) is expected
