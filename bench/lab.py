"""The bench's own lab: three warm nodes, up for the length of the bench."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from bench.measure import Run, measure
from skerry.edge.run import Command, run

NODES = 3


class BenchLab(msgspec.Struct, frozen=True, kw_only=True):
    """A lab that is up: addresses by node name, its ssh_config, and how its start went."""

    name: str
    addresses: dict[str, str]
    ssh_config: Path
    up: Run

    def command(self, node: str, remote: str) -> Command:
        """The command that runs a shell command on a node as root, past Skerry."""
        words = ("ssh", "-F", str(self.ssh_config), "-o", "LogLevel=ERROR")
        return Command((*words, f"root@{self.addresses[node]}", remote))

    def ssh(self, node: str, remote: str, *, input: bytes = b"") -> str:
        """What a shell command prints on a node, run as root past Skerry."""
        return run(self.command(node, remote), input=input).text


@contextmanager
def lab_of(name: str, *, nodes: int = NODES, keep: bool = False) -> Iterator[BenchLab]:
    """The lab while the block runs; taken down after it unless it is to be kept."""
    words = ("lab", "--name", name)
    measure(skerry(*words, "down"))
    try:
        # Once for the caches, so that the second is what a warm one takes.
        measure(skerry(*words, "up", "--nodes", str(nodes), "--with-podman"))
        measure(skerry(*words, "down"))
        up = measure(skerry(*words, "up", "--nodes", str(nodes), "--with-podman"))
        listed: list[dict[str, Any]] = json.loads(run(skerry("--json", *words, "ls")).stdout)
        yield BenchLab(
            name=name,
            addresses={str(node["node"]): str(node["address"]) for node in listed},
            ssh_config=Path(run(skerry(*words, "ssh-config")).text),
            up=up,
        )
    finally:
        if not keep:
            measure(skerry(*words, "down"))


def skerry(*words: str, folder: Path | None = None) -> Command:
    """`skerry` as it is installed beside this Python."""
    program = str(Path(sys.executable).parent / "skerry")
    return Command((program, *words), env=(("NO_COLOR", "1"),), cwd=str(folder) if folder else None)
