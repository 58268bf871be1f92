"""``python -m bench``: makes a lab, measures, prints a table, writes ``bench/results.json``.

Ends with status 1 when a goal is missed. Environment: ``SKERRY_BENCH_ROUNDS`` (default 3),
``SKERRY_BENCH_QUICK=1`` (one round), ``SKERRY_BENCH_KEEP=1`` (the lab and the folder stay).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.cloud import place_pods, pod_names, pod_yaml, write_pods
from bench.figures import Figure, middle, render_table, write_results
from bench.fleet import bench_fleet, bench_python
from bench.lab import NODES, BenchLab, lab_of, skerry
from bench.measure import Run, RunFailed, measure
from bench.node import list_residents, measure_program
from bench.peers import Ansible, Pyinfra, write_peers
from skerry.compile.tree import Tree

RESULTS = Path(__file__).with_name("results.json")
PODS = 10
ANSIBLE_GOAL = 40.0
PYINFRA_GOAL = 5.0
LAB_GOAL = 10.0


def main() -> int:
    """Runs the bench and returns the exit status."""
    rounds = int(os.environ.get("SKERRY_BENCH_ROUNDS", "3"))
    if _is_set("SKERRY_BENCH_QUICK"):
        rounds = 1
    keep = _is_set("SKERRY_BENCH_KEEP")
    work = Path(tempfile.mkdtemp(prefix="skerry-bench-"))
    try:
        with lab_of("bench", keep=keep) as lab:
            figures = bench_all(lab, work, rounds=rounds)
    except RunFailed as failure:
        print(f"\nthe bench could not be run to its end: {failure}", file=sys.stderr)
        return 1
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)
    write_results(RESULTS, figures)
    print(f"\n{render_table(figures)}\n")
    print(f"medians of {rounds} interleaved rounds · {NODES} nodes, {PODS} pods each · {RESULTS}")
    missed = [figure.name for figure in figures if not figure.ok]
    if missed:
        print(f"goals missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def bench_all(lab: BenchLab, work: Path, *, rounds: int) -> list[Figure]:
    """All figures, in the order of the table."""
    say(f"lab up: {lab.up.wall:.1f} s; nodes, images, first apply")
    cloud, peers = work / "cloud", work / "peers"
    peers.mkdir()
    trees = make_cloud(lab, cloud)
    write_peers(peers, trees, lab.addresses, lab.ssh_config)
    ansible, pyinfra = Ansible(peers), Pyinfra(peers)
    # Each once before it counts: connections, caches, and the proof that nothing is to be done.
    for first in (ansible, pyinfra):
        say(f"{first.name} finds nothing to change: {first.run().wall:.1f} s")
    figures = bench_noop(cloud, ansible, pyinfra, rounds=rounds)
    figures += bench_verbs(cloud, rounds=rounds)
    figures.append(bench_python(rounds=rounds))
    figures.append(bench_edit(cloud, rounds=rounds))
    figures.append(
        Figure(name=f"lab up, {NODES} nodes to SSH", unit="s", ours=lab.up.wall, goal=LAB_GOAL)
    )
    figures += bench_fleet(work / "fleet", rounds=rounds)
    return figures + bench_node(lab, cloud, trees)


def make_cloud(lab: BenchLab, cloud: Path) -> dict[str, Tree]:
    """A cloud folder with the lab's nodes and the pods, applied; its trees by node."""
    from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image

    build_busybox_image()
    measure(skerry("init", str(cloud), "--name", "bench", "--lab", lab.name))
    for name, address in lab.addresses.items():
        measure(skerry("node", "add", name, f"root@{address}", folder=cloud))
    for example in (cloud / "pods").iterdir():
        example.unlink()
    write_pods(cloud, pods=PODS, image=BUSYBOX_IMAGE)
    path = cloud / "cloud.yaml"
    path.write_text(place_pods(path.read_text(), pods=PODS))
    first = measure(skerry("apply", "--yes", "-m", "bench", folder=cloud))
    say(f"first apply of {PODS * NODES} pods: {first.wall:.1f} s")
    return read_trees(cloud)


def read_trees(cloud: Path) -> dict[str, Tree]:
    """The desired trees of a cloud folder."""
    from skerry.cli.cloud import open_cloud
    from skerry.cli.main import Settings

    return open_cloud(Settings(cloud, json=False, verbose=0), wants_images=True).trees


def bench_noop(cloud: Path, ansible: Ansible, pyinfra: Pyinfra, *, rounds: int) -> list[Figure]:
    """An apply with nothing to change, interleaved with the peers' equivalent."""
    ours: list[Run] = []
    theirs: dict[str, list[Run]] = {ansible.name: [], pyinfra.name: []}
    for number in range(1, rounds + 1):
        for peer in (ansible, pyinfra):
            # While a peer took its time our connections may have closed: open them again.
            noop_apply(cloud)
            ours.append(noop_apply(cloud))
            theirs[peer.name].append(peer.run())
        words = [f"{name} {runs[-1].wall:.2f} s" for name, runs in theirs.items()]
        say(f"round {number}: skerry {_walls(ours[-2:])} s, {', '.join(words)}")
    wall = {name: middle([run.wall for run in runs]) for name, runs in theirs.items()}
    cpu = {name: middle([run.cpu for run in runs]) for name, runs in theirs.items()}
    our_wall, our_cpu = middle([run.wall for run in ours]), middle([run.cpu for run in ours])
    goals = {ansible.name: ANSIBLE_GOAL, pyinfra.name: PYINFRA_GOAL}
    figures = [
        Figure(
            name="apply, nothing to change",
            unit="s",
            ours=our_wall,
            peers={name: wall[name]},
            goal=goal,
        )
        for name, goal in goals.items()
    ]
    figures += [
        Figure(name="  CPU of the operator", unit="s", ours=our_cpu, peers={name: cpu[name]})
        for name in goals
    ]
    return figures


def noop_apply(cloud: Path) -> Run:
    """One apply that must find nothing to change."""
    run = measure(skerry("apply", "--yes", folder=cloud))
    if "nothing to change" not in run.output:
        raise RunFailed(f"skerry apply changed something:\n{run.output}")
    return run


def bench_verbs(cloud: Path, *, rounds: int) -> list[Figure]:
    """The commands that only look."""
    return [
        Figure(
            name=verb,
            unit="s",
            ours=middle([measure(skerry(verb, folder=cloud)).wall for _ in range(rounds)]),
        )
        for verb in ("check", "plan", "status")
    ]


def bench_edit(cloud: Path, *, rounds: int) -> Figure:
    """One pod edited, applied, and healthy on all nodes."""
    from tests.live.images_for_tests import BUSYBOX_IMAGE

    name = pod_names(PODS)[0]
    times = []
    for number in range(1, rounds + 1):
        text = pod_yaml(name, image=BUSYBOX_IMAGE, greeting=f"greeting-{number}")
        (cloud / "pods" / f"{name}.yaml").write_text(text)
        times.append(measure(skerry("apply", "--yes", folder=cloud)).wall)
    return Figure(name="apply, one pod edited", unit="s", ours=middle(times))


def bench_node(lab: BenchLab, cloud: Path, trees: dict[str, Tree]) -> list[Figure]:
    """What Skerry costs a node: bytes on the wire once, memory for a moment, nothing at rest."""
    node = next(iter(trees))
    size, peak = measure_program(lab, node, trees[node])
    residents = [line for name in trees for line in list_residents(lab, name)]
    for line in residents:
        say(f"still there: {line}")
    return [
        Figure(name="node program, sent once", unit="kB", ours=size / 1000),
        Figure(name="node program, peak memory", unit="MB", ours=peak / 1e6),
        Figure(name="processes of ours at rest", unit="", ours=float(len(residents)), goal=0),
    ]


def say(words: str) -> None:
    """One line of progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)


def _walls(runs: list[Run]) -> str:
    return " and ".join(f"{run.wall:.2f}" for run in runs)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


if __name__ == "__main__":
    sys.exit(main())
