"""A node loses power, and comes back, at every step of an apply; the next apply converges."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.live.step_cloud import TOUCHED, StepCloud, three_clouds
from tests.live.steps import disturb_each_step, representative

from skerry.lab import Lab

# How often the operator is left to find out by himself that the node went: it takes him 5 s.
_EVERY = 8


@pytest.fixture(scope="module")
def clouds(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[StepCloud]]:
    """Three clouds of one node each, on a lab of their own."""
    with three_clouds(new_lab("kills"), tmp_path_factory.mktemp("clouds")) as clouds:
        yield clouds


def lose_power(cloud: StepCloud) -> None:
    """The node vanishes at once and is back as quickly as it boots."""
    cloud.node.kill()
    cloud.node.start()
    cloud.node.wait_ready()


def lose_power_and_tell(cloud: StepCloud) -> None:
    """The same; and the old connection ends, as at the operator's next sign of life."""
    lose_power(cloud)
    cloud.end_connection()


@pytest.mark.fault("node-killed-at-every-step")
def test_killed_at_any_step_the_next_apply_converges(
    clouds: list[StepCloud], seen: Callable[..., None]
) -> None:
    def fault(number: int) -> Callable[[StepCloud], None]:
        return lose_power_and_tell if number % _EVERY else lose_power

    rows = disturb_each_step(clouds, fault, restarted={"keep", *TOUCHED})
    for words in representative(rows):
        seen(words, typed="skerry apply --yes")
