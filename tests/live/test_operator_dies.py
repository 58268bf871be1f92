"""The operator's machine dies at every step of an apply; he, or another one, finishes it."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from tests.live.aftermath import check_aftermath, look_at
from tests.live.lab_harness import wait_until
from tests.live.step_cloud import TOUCHED, StepCloud, three_clouds
from tests.live.steps import (
    CHOICE,
    TRACER,
    Row,
    Step,
    Trace,
    chosen,
    raise_if_wrong,
    render_rows,
    run_all,
)
from tests.seen import normalise

from skerry.edge.run import Finished, run
from skerry.lab import Lab


@pytest.fixture(scope="module")
def clouds(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[StepCloud]]:
    """Three clouds of one node each, on a lab of their own."""
    with three_clouds(new_lab("operators"), tmp_path_factory.mktemp("clouds")) as clouds:
        yield clouds


def apply_traced(cloud: StepCloud, trace: Trace) -> Finished:
    """An apply to the next world, under a tracer that kills it at its target."""
    cloud.turn()
    command = cloud.command()
    argv = (sys.executable, str(TRACER), str(trace.folder), "apply", "--yes", "-m", "world")
    return run(msgspec.structs.replace(command, argv=argv), check=False, timeout=240)


def let_lease_pass(cloud: StepCloud) -> None:
    """As if two minutes had passed in which the lock on the node was not renewed."""
    lock = cloud.node.disk / "var/lib/skerry/lock"
    try:
        entry = json.loads(lock.read_text())
    except FileNotFoundError:
        return
    unfinished = lock.with_name("lock.of-a-test")
    unfinished.write_text(json.dumps({**entry, "expires_at": 0.0}))
    unfinished.replace(lock)


def finish_as_another(cloud: StepCloud, folder: Path) -> Finished:
    """Somebody else, in a folder of his own, applies the same once the dead one's lease is over.

    What he has in the end is in the first one's folder too, as by git.
    """
    other = cloud.second_operator(folder, who="ben")
    applied: list[Finished] = []

    def is_done() -> bool:
        let_lease_pass(cloud)
        applied.append(other.skerry("apply", "--yes", "-m", "finished by another", expect=None))
        # 3: the dead one's switch went back just now, and the plan was of before.
        assert applied[-1].status in (0, 3, 5), applied[-1].error_text
        return applied[-1].status == 0

    # A switch that nobody confirms goes back after 30 s.
    wait_until(is_done, 90, "another operator's apply")
    for path in other.files():
        (cloud.folder / path.relative_to(folder)).write_bytes(path.read_bytes())
    return applied[-1]


@pytest.mark.fault("operator-dies", "operator-killed-at-every-step")
def test_whoever_applies_next_finishes_what_a_dead_operator_began(
    clouds: list[StepCloud], tmp_path: Path, seen: Callable[..., None]
) -> None:
    traces = {cloud.name: Trace(tmp_path / cloud.name) for cloud in clouds}
    first = traces[clouds[0].name]
    first.clear()
    assert apply_traced(clouds[0], first).status == 0
    steps = first.steps()
    # Nothing before the first node is asked, or after the last one has answered, would be an apply.
    assert len(steps) > 10, steps
    steps = chosen(steps)

    def test(cloud: StepCloud, step: Step) -> Row:
        begun, before, trace = monotonic(), look_at(cloud), traces[cloud.name]
        for _ in range(2):
            trace.aim(step)
            died = apply_traced(cloud, trace)
            trace.clear()
            if died.status != 0:
                break
            # Some steps are taken only after a good apply: of what that one remembered.
        assert died.status == -signal.SIGKILL, f"not reached:\n{died.text}\n{died.error_text}"
        number = steps.index(step)
        if number % 2:
            then = finish_as_another(cloud, tmp_path / f"another{number}")
        else:
            then = cloud.skerry("apply", "--yes", "-m", "once more")
        check_aftermath(cloud, before, restarted=TOUCHED)
        return Row(step, died.status, then.status, monotonic() - begun, then.error_text)

    rows = run_all(clouds, steps, test)
    print(render_rows(rows))
    raise_if_wrong(rows)
    told = {
        re.sub(r"\b(beta|gamma) +", "alpha  ", normalise(line))
        for row in rows
        for line in row.said.splitlines()
        if "that ended early" in line or "operator had gone" in line
    }
    if CHOICE in os.environ:
        return
    seen("\n".join(sorted(told)), typed="skerry apply --yes")
