"""Where there is no memory for the old and the new of a replica at a time."""

from __future__ import annotations

from pathlib import Path

from skerry.compile.lock import Lock
from skerry.compile.placement.place_cloud import place_cloud
from skerry.compile.rolling.cramped import find_cramped
from skerry.load.cloud import load_cloud
from tests.unit.test_load_problems import write_folder

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: x}
spec:
  containers:
  - {name: c, image: localhost/x, resources: {limits: {memory: SIZE}}, ports: [PORTS]}
"""


def cramped(folder: Path, size: str, ports: str = "") -> dict[str, dict[str, str]]:
    """For a pod with this limit on a node of 512 MB."""
    write_folder(
        folder,
        {
            "cloud.yaml": "name: home\nnodes:\n  alpha: {ssh: root@alpha, memory: 512M}\n"
            "run:\n  x: {pod: pods/x.yaml}\n",
            "pods/x.yaml": POD.replace("SIZE", size).replace("PORTS", ports),
        },
    )
    cloud, lock = load_cloud(folder), Lock()
    return find_cramped(cloud, lock, place_cloud(cloud, lock))


def test_half_of_a_node_and_more(tmp_path: Path) -> None:
    assert cramped(tmp_path, "256M") == {}
    assert cramped(tmp_path, "300M") == {
        "alpha": {
            "x": "no memory for two on alpha: 512 MB, system 0, planned 300; x asks 300: "
            "88 MB short"
        }
    }
    # It goes first in any case.
    assert cramped(tmp_path, "300M", "{containerPort: 80, hostPort: 80}") == {}
