"""The bench of an edited pod and of what a pod costs: its arithmetic and its manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.edit import phases_of
from bench.pod_cost import GOALS, SHAPES, Cost, compare
from bench.pod_node import manifest

from skerry.load.cloud import load_cloud


def test_phases_of_the_node_stand_for_its_activation() -> None:
    report = {
        "seconds": {"load": 0.1, "push": 0.2, "activate": 1.0},
        "done": {"alpha": {"files": 0.1, "health": 0.6}},
    }
    assert phases_of("alpha", report) == {
        "load": 0.1,
        "push": 0.2,
        "files": 0.1,
        "health": 0.6,
        "the rest of activate": pytest.approx(0.3),
    }


def test_pod_is_compared_with_each_peer() -> None:
    costs = {
        "skerry": Cost(1.0, 500_000.0, 30_000.0),
        "kube play": Cost(3.0, 1_500_000.0, 60_000.0),
        "docker run": Cost(3.0, 400_000.0, 90_000.0),
    }
    figures = compare("one container", costs)
    assert [figure.ratio for figure in figures] == [3.0, 3.0, 2.0, 3.0, 0.8, 3.0]
    assert [figure.ok for figure in figures] == [True, True, True, True, False, True]
    assert len({figure.key for figure in figures}) == len(figures)
    assert GOALS.keys() == SHAPES.keys()


@pytest.mark.parametrize("containers", SHAPES.values())
def test_what_peers_play_skerry_takes(tmp_path: Path, containers: int) -> None:
    (tmp_path / "pods").mkdir()
    text = manifest(3, "localhost/web", containers=containers)
    (tmp_path / "pods/pod-3.yaml").write_text(text)
    (tmp_path / "cloud.yaml").write_text(
        "name: pods\nnodes:\n  alpha: {ssh: root@198.18.0.1}\n"
        "run:\n  pod-3: {pod: pods/pod-3.yaml}\n"
    )
    assert list(load_cloud(tmp_path).workloads) == ["pod-3"]
    assert text.count('"image": "localhost/web"') == containers
