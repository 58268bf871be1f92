"""The SSH connection is cut at every step of an apply; the next apply converges."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.live.lab_harness import processes_in
from tests.live.step_cloud import TOUCHED, StepCloud, three_clouds
from tests.live.steps import disturb_each_step, representative

from skerry.lab import Lab


@pytest.fixture(scope="module")
def clouds(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[StepCloud]]:
    """Three clouds of one node each, on a lab of their own."""
    with three_clouds(new_lab("cuts"), tmp_path_factory.mktemp("clouds")) as clouds:
        yield clouds


def cut(cloud: StepCloud) -> None:
    """Ends all SSH sessions on the node, as when a router forgets them or sshd is restarted."""
    for pid in processes_in(cloud.node.cgroup):
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "sshd-session":
                os.kill(pid, signal.SIGKILL)


@pytest.mark.fault("ssh-cut-at-every-step")
def test_cut_at_any_step_the_next_apply_converges(
    clouds: list[StepCloud], seen: Callable[..., None]
) -> None:
    rows = disturb_each_step(clouds, lambda number: cut, restarted=TOUCHED)
    for words in representative(rows):
        seen(words, typed="skerry apply --yes")
