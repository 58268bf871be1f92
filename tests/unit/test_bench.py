"""The bench's own arithmetic, table and parsers; and that the cloud it measures is valid."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bench.cloud import place_pods, pod_names, write_pods
from bench.figures import (
    WIDTH,
    Figure,
    in_multiples,
    render_table,
    versus_peer,
    write_results,
)
from bench.fleet import CASES_OF, bench_placement
from bench.measure import Run, RunFailed, measure
from bench.node import find_residents
from bench.peers import parse_pyinfra_changes, parse_recap, write_files
from bench.rounds import interleave, middle, noise_of

from skerry.compile.tree import File, Tree, Unit
from skerry.edge.run import Command
from skerry.load.cloud import load_cloud

FIGURES = [
    Figure(name="apply, nothing to change", unit="s", ours=0.5, peers={"ansible": 41.2}, goal=40.0),
    Figure(name="apply, nothing to change", unit="s", ours=0.5, peers={"pyinfra": 2.4}, goal=5.0),
    Figure(name="lab up, 3 nodes to SSH", unit="s", ours=3.21, goal=10.0),
    Figure(name="status", unit="s", ours=0.31),
    Figure(name="processes of ours at rest", unit="", ours=0.0, goal=0.0),
]
TABLE = """\
FIGURE                       OURS  BESIDE          RATIO  GOAL
apply, nothing to change   0.50 s  ansible 41.2 s  82.4x  >= 40x     ok
apply, nothing to change   0.50 s  pyinfra 2.40 s   4.8x  >= 5x      MISSED
lab up, 3 nodes to SSH     3.21 s                         <= 10.0 s  ok
status                     0.31 s
processes of ours at rest       0                         <= 0       ok"""

# As ansible-core 2.19 and pyinfra 3.10 print them.
RECAP = """\
ok: [gamma] => (item=skerry-web-10.0.service)

PLAY RECAP *********************************************************************
alpha                      : ok=5    changed=0    unreachable=0    failed=0    skipped=1    rescued=0    ignored=0   
beta                       : ok=5    changed=2    unreachable=0    failed=1    skipped=1    rescued=0    ignored=0   

"""  # noqa: E501, W291
RESULTS = """\
--> Results:
    Operation                                                Hosts   Success   Error   No Change
    File /etc/containers/systemd/skerry-web-10.0.container   3       {0}         {1}       3
    Grand total                                              153     {0}         {1}       153

--> Disconnecting from hosts...
"""


def test_table() -> None:
    assert render_table(FIGURES) == TABLE


def test_table_fits_a_terminal() -> None:
    wide = Figure(name="node program, peak memory", unit="kB", ours=1234.5, goal=10.0)
    assert max(len(line) for line in render_table([*FIGURES, wide]).splitlines()) <= WIDTH


def test_goals() -> None:
    assert [figure.ok for figure in FIGURES] == [True, False, True, True, True]
    assert not Figure(name="residents", unit="", ours=1.0, goal=0.0).ok
    assert not Figure(name="slow lab", unit="s", ours=10.1, goal=10.0).ok


def test_the_ratio_is_to_the_best_peer() -> None:
    figure = Figure(name="x", unit="s", ours=2.0, peers={"slow": 40.0, "fast": 10.0})
    assert figure.ratio == 5.0


def test_results(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, FIGURES)
    entries = json.loads(path.read_text())
    assert entries[1] == {
        "name": "apply, nothing to change",
        "unit": "s",
        "ours": 0.5,
        "peers": {"pyinfra": 2.4},
        "ratio": 4.8,
        "noise": None,
        "goal": 5.0,
        "ok": False,
    }
    assert entries[2]["ratio"] is None and entries[2]["peers"] == {}


def test_some_results_leave_the_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, FIGURES)
    again = Figure(
        name="apply, nothing to change", unit="s", ours=0.4, peers={"pyinfra": 2.4}, goal=5.0
    )
    new = Figure(name="new", unit="s", ours=1.0)
    write_results(path, [again, new], keeps=True)
    entries = json.loads(path.read_text())
    assert [entry["ours"] for entry in entries] == [0.5, 0.4, 3.21, 0.31, 0.0, 1.0]


def test_ratios_are_of_rounds() -> None:
    """The median of the ratios, not the ratio of the medians: a slow moment hits both."""
    peer = versus_peer("x", "peer", [1.0, 5.0, 1.0], [2.0, 10.0, 4.0], goal=2.0)
    assert (peer.ratio, peer.ours, peer.ok) == (2.0, 1.0, True)
    multiple = in_multiples("x", "python", [3.0, 4.0, 3.0], [1.0, 1.0, 1.0], goal=3.5)
    assert (multiple.ratio, multiple.ok, multiple.key) == (3.0, True, "x / python")
    assert not in_multiples("x", "python", [3.0], [1.0], goal=2.9).ok
    assert "3.0x  <= 3.5x" in render_table([multiple])


def test_rounds_are_in_turn() -> None:
    order: list[str] = []

    def one(name: str) -> Run:
        order.append(name)
        return Run(wall=float(len(order)), cpu=0.0, status=0, output="")

    runs = interleave({"a": lambda: one("a"), "b": lambda: one("b")}, rounds=2)
    assert order == ["a", "b", "a", "b"]
    assert [run.wall for run in runs["b"]] == [2.0, 4.0]


def test_noise() -> None:
    assert noise_of([2.0]) == 0.0
    assert noise_of([2.0, 2.0, 2.5]) == 0.25
    steady = [4.0, 4.1, 3.9, 4.0, 4.1, 3.9, 4.0, 9.0, 4.0]
    assert 0 < noise_of(steady) < 0.05
    assert noise_of([4.0, 6.0, 2.0, 5.0, 3.0]) > 0.3


def test_one_slow_round_does_not_decide() -> None:
    assert middle([0.5, 9.0, 0.6]) == 0.6


def test_recap() -> None:
    counts = parse_recap(RECAP)
    assert {name: count["changed"] for name, count in counts.items()} == {"alpha": 0, "beta": 2}
    assert counts["beta"]["failed"] == 1
    assert parse_recap("ERROR! the playbook could not be found") == {}


@pytest.mark.parametrize(("changed", "failed", "sum_"), [("-", "-", 0), ("3", "-", 3), ("1", 2, 3)])
def test_pyinfra_results(changed: str, failed: str, sum_: int) -> None:
    assert parse_pyinfra_changes(RESULTS.format(changed, failed)) == sum_


def test_pyinfra_without_results() -> None:
    with pytest.raises(RunFailed, match="no results"):
        parse_pyinfra_changes("--> Connecting to hosts...\n")


def test_a_run_is_measured() -> None:
    code = "import time; t = time.process_time() + 0.2\nwhile time.process_time() < t: pass"
    run = measure(Command((sys.executable, "-c", code)))
    assert run.cpu >= 0.2
    assert run.wall >= 0.2


def test_a_run_that_fails_is_told() -> None:
    with pytest.raises(RunFailed, match=r"status 3\nout of paper"):
        measure(Command(("/bin/sh", "-c", "echo out of paper >&2; exit 3")))


def test_the_cloud_is_valid(tmp_path: Path) -> None:
    write_pods(tmp_path, pods=10, image="localhost/skerry-busybox")
    text = "name: bench\nnodes:\n  alpha: {ssh: skerry@198.18.1.10}\n\nrun: {}\n# the end\n"
    (tmp_path / "cloud.yaml").write_text(place_pods(text, pods=10))
    cloud = load_cloud(tmp_path)
    assert list(cloud.workloads) == pod_names(10)
    ports = [
        port.host_port
        for workload in cloud.workloads.values()
        for container in workload.spec.containers
        for port in container.ports
    ]
    assert ports == list(range(8001, 8011))
    assert len(cloud.config_maps) == 10


def test_the_peers_get_the_same_bytes(tmp_path: Path) -> None:
    quadlet = "/etc/containers/systemd/skerry-web-01.0.container"
    page = "/etc/skerry/config/web-01/index.html"
    tree = Tree(
        "bench",
        "alpha",
        {quadlet: File(b"[Container]\n"), page: File(b"hello\n", 0o640, "root:adm")},
        {"skerry-web-01.0.service": Unit(files=(quadlet, page), workload="web-01", replica=0)},
        {"a" * 64: "localhost/skerry-busybox"},
    )
    variables = write_files(tmp_path, tree)
    assert variables["folders"] == ["/etc/skerry/config/web-01"]
    assert variables["services"] == ["skerry-web-01.0.service"]
    assert [item["dest"] for item in variables["quadlets"]] == [quadlet]
    (config,) = variables["configs"]
    assert (config["mode"], config["owner"], config["group"]) == ("0640", "root", "adm")
    assert (tmp_path / config["src"]).read_bytes() == b"hello\n"


def test_residents_are_told_from_workloads() -> None:
    listing = """\
      1 root     /sbin/init
    301 root     sshd: skerry [priv]
    310 skerry   sshd: skerry@notty
    402 root     /usr/bin/conmon --api-version 1 -c 74737ca1 -n skerry-web-01.0
    410 root     httpd -f -p 8080 -h /www
    500 root     /usr/bin/python3 -I -S -c import sys; sys.path.insert(0, "/var/lib/skerry/p")
    510 skerry   sleep 600
    520 root     ps -eo pid=,user=,args=
"""
    found = find_residents(listing, "alpha")
    assert [line.split()[1] for line in found] == ["500", "510"]


def test_a_fleet_is_measured(tmp_path: Path) -> None:
    for placement, cases in CASES_OF.items():
        figures = bench_placement(tmp_path / placement, placement, nodes=40, rounds=1)
        assert [figure.name for figure in figures] == [
            f"40 {placement}, {word}" for word in ("slowest", "memory", *cases)
        ]
        assert all(figure.ok for figure in figures[:2])
