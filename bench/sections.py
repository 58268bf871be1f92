"""The sections of the bench, in the order of the table: each measures some figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.distance import bench_distance
from bench.edit import bench_edit
from bench.fanout import bench_fanout
from bench.figures import Figure
from bench.fleet import bench_fleet
from bench.node import bench_node
from bench.pod_cost import bench_pod_cost
from bench.slim import bench_slim
from bench.smoke import bench_smoke
from bench.stage import Stage
from bench.start import bench_start
from bench.verbs import bench_lab, bench_noop, bench_verbs

Section = Callable[[Stage], list[Figure]]

SECTIONS: Mapping[str, Section] = {
    "start": bench_start,
    "noop": bench_noop,
    "distance": bench_distance,
    "verbs": bench_verbs,
    "edit": bench_edit,
    "lab": bench_lab,
    "fleet": bench_fleet,
    "fanout": bench_fanout,
    "node": bench_node,
    "pods": bench_pod_cost,
    "slim": bench_slim,
    "smoke": bench_smoke,
}
"""By the word that ``--only`` takes. What a section needs it asks of the stage."""
