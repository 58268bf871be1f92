"""The bench's figures of what comes before the nodes, and of nodes that are far away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench.distance import figures_of, make_distant
from bench.measure import Run, RunFailed
from bench.stage import Stage
from bench.start import make_ssh, measure_until
from bench.trips import RELAY

from skerry.edge.run import Command


def relayed(notes: Path, delay: float, sent: bytes) -> tuple[bytes, float]:
    """What an echo at the other end of the relay answers, and the seconds until all of it came."""
    words = (sys.executable, "-S", str(RELAY), str(delay), str(notes), "cat")
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started = time.monotonic()
    answer, _ = process.communicate(sent, timeout=60)
    assert process.returncode == 0
    return answer, time.monotonic() - started


def test_the_relay_takes_its_time_and_changes_nothing(tmp_path: Path) -> None:
    sent = os.urandom(300_000)
    answer, seconds = relayed(tmp_path, 0.2, sent)
    assert answer == sent
    assert seconds >= 0.4
    assert relayed(tmp_path, 0.0, b"at once")[0] == b"at once"


def run_of(wall: float) -> Run:
    return Run(wall=wall, cpu=0.1, status=0, output="")


def test_round_trips_are_counted_from_the_rounds() -> None:
    near = [run_of(0.2), run_of(0.3), run_of(0.2)]
    far = [run_of(0.25), run_of(0.35), run_of(0.9)]
    wall, trips = figures_of(near, far)
    assert wall.ours == 0.35
    assert trips.ours == pytest.approx(1.0)


def test_the_first_ssh_is_waited_for(tmp_path: Path) -> None:
    asked = make_ssh(tmp_path)
    env = (("SKERRY_BENCH_ASKED", str(asked)), ("PATH", f"{tmp_path}:{os.environ['PATH']}"))
    run = measure_until(Command(("sh", "-c", "ssh; ssh; exit 3"), env), asked)
    assert run.status == 3 and run.wall > 0
    with pytest.raises(RunFailed, match="asked no node"):
        measure_until(Command(("true",), env), asked)


def test_the_far_folder_is_the_same_cloud(tmp_path: Path) -> None:
    stage = Stage(rounds=1)
    cloud = tmp_path / "cloud"
    (cloud / ".skerry").mkdir(parents=True)
    (cloud / "cloud.yaml").write_text("name: bench\nssh-config: /lab/ssh_config\nrun: {}\n")
    config = tmp_path / "ssh_config"
    config.write_text("Host alpha\n    ProxyCommand nsenter socat -\n")
    stage.__dict__.update(cloud=cloud, work=tmp_path, lab=Lab(config))
    far, way = make_distant(stage, "far", 0.05)
    assert (far / "cloud.yaml").read_text() == "name: bench\nrun: {}\nssh-config: ssh_config\n"
    written = (far / "ssh_config").read_text()
    assert f"ProxyCommand {sys.executable} -S {RELAY} 0.025 {way.notes} nsenter socat -" in written
    assert not (far / ".skerry").exists()


class Lab:
    """What `make_distant` needs of a lab."""

    def __init__(self, ssh_config: Path) -> None:
        self.ssh_config = ssh_config
