"""What the sections measure on: a lab, a cloud folder on it, the peers' folder; made at need."""

from __future__ import annotations

import compileall
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from bench.cloud import place_pods, write_pods
from bench.lab import NODES, BenchLab, lab_of, skerry
from bench.measure import measure
from bench.peers import Ansible, Pyinfra, write_peers
from skerry.compile.tree import Tree

PODS = 10
SOURCES = Path(__file__).parent.parent / "src"


class Stage:
    """Made for one run of the bench. Each part is there from when it is first asked for."""

    def __init__(self, *, rounds: int, keep: bool = False) -> None:
        self.rounds = rounds
        self.keep = keep
        self._open = ExitStack()
        # As whoever has installed it has it, also where Python may not write beside sources.
        compileall.compile_dir(SOURCES, quiet=1)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def work(self) -> Path:
        """A folder that goes at the end."""
        folder = Path(tempfile.mkdtemp(prefix="skerry-bench-"))
        if not self.keep:
            self._open.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    @cached_property
    def lab(self) -> BenchLab:
        """Three warm nodes."""
        lab = self._open.enter_context(lab_of("bench", keep=self.keep))
        say(f"lab up: {lab.up.wall:.1f} s")
        return lab

    @cached_property
    def cloud(self) -> Path:
        """A cloud folder with the lab's nodes and the pods, applied."""
        from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image

        folder = self.work / "cloud"
        build_busybox_image()
        measure(skerry("init", str(folder), "--name", "bench", "--lab", self.lab.name))
        for name, address in self.lab.addresses.items():
            measure(skerry("node", "add", name, f"root@{address}", folder=folder))
        for example in (folder / "pods").iterdir():
            example.unlink()
        write_pods(folder, pods=PODS, image=BUSYBOX_IMAGE)
        path = folder / "cloud.yaml"
        path.write_text(place_pods(path.read_text(), pods=PODS))
        first = measure(skerry("apply", "--yes", "-m", "bench", folder=folder))
        say(f"first apply of {PODS * NODES} pods: {first.wall:.1f} s")
        return folder

    @cached_property
    def trees(self) -> dict[str, Tree]:
        """The desired trees of the cloud folder."""
        from skerry.cli.cloud import open_cloud
        from skerry.cli.main import Settings

        return open_cloud(Settings(self.cloud, json=False, verbose=0), wants_images=True).trees

    @cached_property
    def peers(self) -> tuple[Ansible, Pyinfra]:
        """The peers, in a folder with the same files for the same nodes; each has run once."""
        folder = self.work / "peers"
        folder.mkdir()
        write_peers(folder, self.trees, self.lab.addresses, self.lab.ssh_config)
        found = Ansible(folder), Pyinfra(folder)
        # Once before it counts: connections, caches, and the proof that nothing is to be done.
        for peer in found:
            say(f"{peer.name} finds nothing to change: {peer.run().wall:.1f} s")
        return found


def say(words: str) -> None:
    """One line of progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)
