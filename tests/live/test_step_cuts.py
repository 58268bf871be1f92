"""The SSH connection is cut at every step of an apply; the next apply converges."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
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


@pytest.fixture(scope="module")
def clouds(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[StepCloud]]:
    """Three clouds of one node each, on a lab of their own."""
    lab = new_lab("cuts")
    lab.up(nodes=3, with_podman=True)
    yield add_clouds(lab, tmp_path_factory.mktemp("clouds"))
    lab.down()


def cut(cloud: StepCloud) -> None:
    """Ends all SSH sessions on the node, as when a router forgets them or sshd is restarted."""
    for procs in cloud.node.cgroup.rglob("cgroup.procs"):
        for pid in map(int, procs.read_text().split()):
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name == "sshd-session":
                os.kill(pid, signal.SIGKILL)


@pytest.mark.fault("ssh-cut-at-every-step")
def test_cut_at_any_step_the_next_apply_converges(
    clouds: list[StepCloud], seen: Callable[..., None]
) -> None:
    traces = {cloud.name: lay_trace(cloud.node) for cloud in clouds}
    steps = record_steps(clouds[0], traces[clouds[0].name])

    def test(cloud: StepCloud, step: Step) -> Row:
        begun, before = monotonic(), look_at(cloud)
        first = disturb(cloud, traces[cloud.name], step, cut)
        then = cloud.skerry("apply", "--yes")
        check_aftermath(cloud, before, restarted=TOUCHED)
        return Row(step, first.status, then.status, monotonic() - begun, first.error_text)

    rows = run_all(clouds, steps, test)
    print(render_rows(rows))
    raise_if_wrong(rows)
    for words in representative(rows):
        seen(words, typed="skerry apply --yes")
