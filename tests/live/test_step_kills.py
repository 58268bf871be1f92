"""A node loses power, and comes back, at every step of an apply; the next apply converges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from tests.live.aftermath import check_aftermath, look_at
from tests.live.step_cloud import TOUCHED, StepCloud, add_clouds
from tests.live.steps import (
    Row,
    Step,
    disturb,
    lay_trace,
    raise_if_wrong,
    record_steps,
    render_rows,
    representative,
    run_all,
)

from skerry.lab import Lab

# How often the operator is left to find out by himself that the node went: it takes him 5 s.
_EVERY = 8


@pytest.fixture(scope="module")
def clouds(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[StepCloud]]:
    """Three clouds of one node each, on a lab of their own."""
    lab = new_lab("kills")
    lab.up(nodes=3, with_podman=True)
    yield add_clouds(lab, tmp_path_factory.mktemp("clouds"))
    lab.down()


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
    traces = {cloud.name: lay_trace(cloud.node) for cloud in clouds}
    steps = record_steps(clouds[0], traces[clouds[0].name])

    def test(cloud: StepCloud, step: Step) -> Row:
        begun, before = monotonic(), look_at(cloud)
        fault = lose_power_and_tell if steps.index(step) % _EVERY else lose_power
        first = disturb(cloud, traces[cloud.name], step, fault)
        then = cloud.skerry("apply", "--yes")
        check_aftermath(cloud, before, restarted={"keep", *TOUCHED})
        return Row(step, first.status, then.status, monotonic() - begun, first.error_text)

    rows = run_all(clouds, steps, test)
    print(render_rows(rows))
    raise_if_wrong(rows)
    for words in representative(rows):
        seen(words, typed="skerry apply --yes")
