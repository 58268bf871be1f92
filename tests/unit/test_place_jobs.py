"""A job stays where it has run: a node that is added gets no share of it."""

from __future__ import annotations

import msgspec

from skerry.compile.lock import Lock
from skerry.compile.placement.place_cloud import Placements, place_cloud
from skerry.model.cloud import Cloud, Node, Placement, Workload
from skerry.model.job import Job

NAMES = [f"node{number}" for number in range(8)]


def job(lanes: int) -> Job:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
    spec = {"completions": 10, "parallelism": lanes, "template": template}
    return msgspec.convert(
        {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": "x"}, "spec": spec}, Job
    )


def place(lanes: int, nodes: list[str], lock: Lock, cordoned: str = "") -> Placements:
    workloads = {
        f"job{number}": Workload(
            name=f"job{number}",
            placement=Placement(pod="x.yaml"),
            manifest=job(lanes),
            nodes=tuple(sorted(nodes)),
            replicas=lanes,
        )
        for number in range(20)
    }
    known = {
        name: Node(ssh=f"root@{name}", cordon=() if name == cordoned else None) for name in nodes
    }
    return place_cloud(Cloud(name="c", nodes=known, workloads=workloads, config_maps={}), lock)


def test_a_new_node_takes_nothing_that_ran() -> None:
    for lanes in (1, 3):
        first = place(lanes, NAMES[:3], Lock())
        assert len(first.jobs) == 20 * lanes
        anew = place(lanes, NAMES, Lock())
        assert anew.where != first.where
        again = place(lanes, NAMES, Lock(jobs=first.jobs))
        assert (again.where, again.jobs) == (first.where, first.jobs)


def test_what_a_lost_node_had_runs_elsewhere() -> None:
    first = place(2, NAMES[:4], Lock())
    after = place(2, NAMES[1:4], Lock(jobs=first.jobs))
    assert set(after.jobs.values()) == set(NAMES[1:4])
    assert after.jobs.keys() == first.jobs.keys()
    for lane, node in first.jobs.items():
        assert node == NAMES[0] or after.jobs[lane] == node


def test_a_cordoned_node_gets_none_and_what_began_there_ends_there() -> None:
    first = place(2, NAMES[:4], Lock())
    after = place(2, NAMES[:4], Lock(jobs=first.jobs), cordoned=NAMES[0])
    assert after.jobs == first.jobs
    assert NAMES[0] not in place(2, NAMES[:4], Lock(), cordoned=NAMES[0]).jobs.values()
