"""The session's cloud: the lab's nodes after `skerry node add`, with the test image here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import build_busybox_image

from skerry.lab import Lab


@pytest.fixture(scope="session")
def live_cloud(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> LiveCloud:
    """A cloud folder whose three nodes were bootstrapped; nothing runs on it yet."""
    build_busybox_image()
    return make_live_cloud(lab, tmp_path_factory.mktemp("cloud"))


@pytest.fixture
def cloud(live_cloud: LiveCloud) -> Iterator[LiveCloud]:
    """The session's cloud, with nothing running on it before and after.

    Its nodes are in the same order for every test, whatever the last one did with them: waves go
    by it.
    """
    header = live_cloud.header
    if not live_cloud.is_empty:
        live_cloud.empty()
    live_cloud.is_empty = False
    yield live_cloud
    live_cloud.header = header
    live_cloud.empty()


def make_live_cloud(lab: Lab, folder: Path) -> LiveCloud:
    """A new cloud folder with all nodes of a lab, added as a person would add them."""
    live = LiveCloud(folder, lab)
    live.skerry("init", ".", "--name", "test", "--lab", lab.name)
    for node in lab.nodes:
        live.skerry("node", "add", node.name, f"root@{node.address}", "--vendor", node.vendor)
    live.forget_examples()
    return live
