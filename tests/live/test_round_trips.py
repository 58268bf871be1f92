"""An apply with nothing to change, far from its nodes: one round trip beyond what ssh itself needs
to open a channel, counted on the wire."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bench.distance import copy_far
from bench.trips import LONG, bench_trips
from tests.live.cloud_for_tests import LiveCloud, httpd
from tests.live.images_for_tests import BUSYBOX_IMAGE

from skerry.edge.run import run


def test_an_apply_with_nothing_to_change_is_one_round_trip(
    cloud: LiveCloud, tmp_path: Path
) -> None:
    cloud.place("web", httpd("web", image=BUSYBOX_IMAGE, port=8081), 'nodes: ["*"]')
    cloud.skerry("apply", "--yes")
    far = tmp_path / "far"
    way = copy_far(cloud.folder, far, cloud.lab.ssh_config, LONG)
    command = cloud.command("apply", "--yes")
    apply = msgspec.structs.replace(command, cwd=str(far))
    # The connections, and what is remembered.
    for _ in range(2):
        run(apply)
    address = next(iter(cloud.addresses.values()))
    wire, opening, own = bench_trips(way, address, tmp_path / "ssh", apply)
    assert (opening.ours, own.ours) == (1, 1), wire
    assert wire.ours == 2 and wire.ratio == 1.0, wire
