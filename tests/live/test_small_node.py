"""The memory of a node of 512 MB: what it reports, and that the plan keeps to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from tests.live.cloud_fixtures import make_live_cloud
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image

from skerry.lab import Lab
from skerry.load.edit import set_node_field

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: IMAGE
      command: [/bin/busybox, sleep, "100000"]
      resources: {requests: {memory: MEMORY}}
"""


def asking(name: str, memory: str) -> str:
    return POD.replace("NAME", name).replace("MEMORY", memory).replace("IMAGE", BUSYBOX_IMAGE)


@pytest.fixture(scope="module")
def small(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCloud]:
    """A cloud of two nodes that report 512 MB each."""
    lab = new_lab("small")
    lab.up(nodes=2, with_podman=True, memory=512_000_000)
    build_busybox_image()
    yield make_live_cloud(lab, tmp_path_factory.mktemp("small"))
    lab.down()


@pytest.mark.honours("ResourceRequirements.requests")
def test_memory_of_a_512_mb_node_is_respected_in_the_plan(small: LiveCloud) -> None:
    facts = small.json("node", "facts", "alpha")
    assert facts["memory_total"] == 512_000_000
    lock = json.loads((small.folder / "cloud.lock").read_text())
    assert lock["nodes"]["alpha"]["memory"] == 512_000_000
    small.place("full", asking("full", "310M"), "nodes: [alpha]")
    small.place("blog", asking("blog", "200M"), "nodes: [alpha], replicas: 1")
    told = "alpha: 512 MB, system 70, planned 310; blog asks 200: 68 MB short"
    for verb in ("check", "plan"):
        refused = small.skerry(verb, expect=2)
        shown = refused.text + refused.error_text
        assert told in shown
        assert "no node takes 'blog'" in shown
    # With the other node to choose, it goes there; containers run on such a node as on any.
    small.place("blog", asking("blog", "200M"), "replicas: 1")
    small.skerry("apply", "--yes")
    assert any("skerry-blog.0" in one for one in small.containers("beta"))
    assert any("skerry-full.0" in one for one in small.containers("alpha"))
    # What cloud.yaml says of a node counts more than what it reports.
    small.header = set_node_field(small.header, "beta", "memory", "256M")
    small.write_cloud()
    refused = small.skerry("plan", expect=2)
    assert "beta: 256 MB, system 70, planned 0; blog asks 200: 14 MB short" in refused.error_text
