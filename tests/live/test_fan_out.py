"""The operator's side against two hundred nodes: real sshd on ports of the loopback, a stub of the
node program behind each. What is alive is not delayed by what is dead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from bench.measure import measure
from tests.loopback_cloud import DEAD, LoopbackCloud, with_dead
from tests.loopback_nodes import DeadPorts, LoopbackNodes, debian_root
from tests.terminal_watch import watch

from skerry.edge.window import begun_at_once

MANY, FEW = 200, 10
# Longer than a connection may take (10 s), so that each of the dead is told by its own words.
TIMEOUT = 12


@pytest.fixture(scope="module")
def source() -> Iterator[Path]:
    """A Debian root with sshd: the lab's."""
    with debian_root(f"test-{os.getpid()}-loopback") as found:
        yield found


@pytest.fixture(scope="module")
def nodes(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackNodes]:
    """Nodes that are up for all tests of this file."""
    root = tmp_path_factory.mktemp("nodes").resolve() / "root"
    found = LoopbackNodes(root, source, count=MANY + 1)
    found.hang(found.ports[MANY])
    yield found
    found.close()


def cloud_of(folder: Path, nodes: LoopbackNodes, count: int) -> LoopbackCloud:
    """A cloud of the first so many nodes, which has been applied once."""
    cloud = LoopbackCloud(folder, nodes, nodes.named(count))
    run = cloud.run("apply", "--yes")
    assert f"nothing to change on {count} nodes" in run.output, run.output
    return cloud


def test_two_hundred_nodes_cost_less_than_ten_times_ten(
    tmp_path: Path, nodes: LoopbackNodes
) -> None:
    """The operator's own work, its ssh clients included; how long it takes is the bench's matter,
    where nothing else runs."""
    many, few = cloud_of(tmp_path / "many", nodes, MANY), cloud_of(tmp_path / "few", nodes, FEW)
    # With a pattern of nodes nothing is answered from memory.
    loaded = ("apply", "--yes", "-n", "*")
    cpu = 0.0
    for words in (("status",), loaded):
        runs = [(many.run(*words), few.run(*words)) for _ in range(2)]
        ratio = median(one.cpu / other.cpu for one, other in runs)
        cpu = median(one.cpu for one, _ in runs)
        assert ratio < 10, f"{words}: {ratio:.1f} times the CPU"
    # At rest it is known the third time; then the few cost next to nothing.
    at_rest = [many.run("apply", "--yes") for _ in range(4)][2:]
    assert median(one.cpu for one in at_rest) < cpu, "at rest it is no cheaper"


def test_new_connections_to_two_hundred_nodes_all_stand(
    tmp_path: Path, nodes: LoopbackNodes
) -> None:
    """All at once they would take so long that many ran out of their time for connecting. What it
    costs is what ssh itself costs, and little beside."""
    cloud = cloud_of(tmp_path, nodes, MANY)
    ratios = []
    for _ in range(2):
        cloud.forget_connections()
        run = cloud.run("status")
        assert f"{MANY * 10} running" in run.output and "unreachable" not in run.output, run.output
        plain = measure(cloud.ssh_to_all("true", at_once=begun_at_once()))
        ratios.append(run.cpu / plain.cpu)
    assert min(ratios) < 1.5, f"{ratios} times the CPU of ssh alone"


def test_the_dead_delay_nobody(tmp_path: Path, nodes: LoopbackNodes) -> None:
    """Until the last node that is alive is shown it takes as long as without those that are dead;
    the whole takes no longer than the one time that a dead node is given."""
    well = cloud_of(tmp_path / "well", nodes, MANY)
    with DeadPorts() as dead:
        sick = with_dead(tmp_path / "sick", nodes, dead, count=MANY)
        alive = MANY - len(DEAD)
        # The first one opens the connections.
        sick.run("status", "--timeout", "2", expect=None)
        for words, done in (
            (("status",), "nodes have answered; waiting for"),
            (("apply", "--yes"), f"nothing to change on {alive} nodes"),
        ):
            lost: list[float] = []
            waited: list[float] = []
            while len(lost) < 5 and (not lost or min(lost) > 1.0):
                without = watch(well.command(*words))
                seen = watch(sick.command(*words, "--timeout", str(TIMEOUT)))
                assert (without.status, seen.status) == (0, 3), seen.text
                lost.append(seen.when(done) - without.seconds)
                waited.append(seen.seconds - without.seconds)
            # What else runs on this machine makes seconds of one round and none of another.
            assert min(lost) < 1.0, f"{words}: {lost}"
            assert min(waited) < TIMEOUT + 4, f"{words}: {waited}"
            reasons = "Connection timed out", "Connection refused", "the host shows the key"
            for reason in (*reasons, f"silent for {TIMEOUT} s"):
                assert reason in seen.text, reason


def test_what_is_shown_first_and_what_after(tmp_path: Path, nodes: LoopbackNodes) -> None:
    with DeadPorts() as dead:
        ports = {f"n-{number}": port for number, port in enumerate(nodes.ports[1:5])}
        cloud = LoopbackCloud(tmp_path, nodes, {**ports, "n-3": dead.silent})
        seen = watch(cloud.command("status", "--timeout", "3")).text.replace("\r\n", "\n")
    head, _, tail = seen.partition("3 of 4 nodes have answered; waiting for n-3\n")
    assert head.startswith("WORKLOAD") and head.count("running") == 30 and "n-3" not in head
    assert tail.count("WORKLOAD") == 0 and tail.count("web-01  n-3") == 1, tail
    # Its time for connecting and for saying something end together here.
    assert tail.startswith("n-3: ") or "\nn-3: " in tail
    assert "40 replicas on 4 nodes · 30 running · 10 unreachable" in tail


def test_a_host_that_turns_connections_away_is_asked_again(tmp_path: Path, source: Path) -> None:
    """sshd takes ten connections that are being opened and drops others at random, as on a host
    that all connections go through; here it is left no more than two."""
    few = LoopbackNodes(tmp_path.resolve() / "root", source, count=12, startups="2:60:50")
    try:
        ports = {f"n-{number:02}": port for number, port in enumerate(few.ports)}
        cloud = LoopbackCloud(tmp_path / "cloud", few, ports)
        for _ in range(3):
            cloud.forget_connections()
            run = cloud.run("status", "--timeout", "60")
            assert "120 running" in run.output and "unreachable" not in run.output, run.output
    finally:
        few.close()
