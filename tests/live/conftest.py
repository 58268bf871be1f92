"""Labs for live tests. All tests of this folder are marked `live`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.cloud_fixtures import cloud, live_cloud
from tests.seen import seen

from skerry.lab import Lab, State

__all__ = ["cloud", "live_cloud", "seen"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what lies in this folder (the hook is given the tests of all folders)."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)


def _remove_left_behind() -> None:
    """Takes down the labs of test runs that were killed."""
    for name in Lab.names():
        match = re.fullmatch(r"test-(\d+)(-.*)?", name)
        if match and not Path("/proc", match[1]).exists():
            Lab.open(name).down()


@pytest.fixture(scope="session")
def new_lab() -> Iterator[Callable[..., Lab]]:
    """Makes labs of this run by a word of their name; what is left of them goes at the end.

    They are not up: a test says `up` with what it needs.
    """
    _remove_left_behind()
    made: list[Lab] = []

    def make(word: str = "") -> Lab:
        name = f"test-{os.getpid()}" + (f"-{word}" if word else "")
        made.append(Lab.open(name, say=print))
        return made[-1]

    yield make
    for lab in made:
        lab.down()


@pytest.fixture(scope="session")
def lab(new_lab: Callable[..., Lab]) -> Lab:
    """The session's lab: three nodes that have Podman, shared by all tests.

    Whoever breaks it takes `restored_lab`.
    """
    shared = new_lab()
    shared.up(nodes=3, with_podman=True)
    return shared


@pytest.fixture(scope="session")
def breakable_lab(new_lab: Callable[..., Lab]) -> Lab:
    """A lab for tests that give its nodes new disks: no cloud stands on it."""
    own = new_lab("broken")
    own.up(nodes=3, with_podman=True)
    return own


@pytest.fixture
def restored_lab(lab: Lab) -> Iterator[Lab]:
    """The session's lab; cuts, frozen nodes and killed nodes are mended afterwards."""
    yield lab
    for node in lab.nodes:
        node.heal()
        if node.state() is State.FROZEN:
            node.thaw()
    lab.up()
