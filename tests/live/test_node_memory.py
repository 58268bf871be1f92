"""The memory that the node program takes while it does each of its ops: nodes have 512 MB."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.node_operator import Operator, Tree, forever
from tests.unit.node_machine import actions

from skerry.bootstrap.platforms import RELEASES
from skerry.edge import program
from skerry.edge.exchange import Outgoing
from skerry.edge.ssh import Link
from skerry.images.archive import Entry, write_archive, write_layer
from skerry.lab import Lab
from skerry_node.__main__ import OPS

LIMIT = 30_000_000
LARGE = 64 << 20
PEAKS = "/run/skerry-peaks"
# The kernel's own account of a process: the largest resident set that it ever had, in KiB. What
# it started is counted apart: Podman takes what Podman takes.
READ_PEAK = 'open("/proc/self/status").read().split("VmHWM:")[1].split()[0]'
REFERENCE = "localhost/large"


@pytest.fixture
def operator(
    new_lab: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Operator:
    """An operator whose node program writes down its peak as it ends; the node is its own."""
    lab = new_lab("memory")
    lab.up(nodes=1, with_podman=True)
    plain = program.remote_command

    def measured(*words: str) -> str:
        ending = "os._exit(main())"
        command = plain(*words)
        assert ending in command
        noted = f'r=main();open("{PEAKS}","a").write({READ_PEAK}+chr(10));os._exit(r)'
        return command.replace(ending, noted)

    monkeypatch.setattr(program, "remote_command", measured)
    return Operator(
        Link(
            node=lab.nodes[0].name,
            target=f"root@{lab.nodes[0].address}",
            known_hosts=str(tmp_path / "known_hosts"),
            ssh_config=str(lab.ssh_config),
            accept_new=True,
        )
    )


class Peaks(dict[str, int]):
    """The largest resident set of each op so far, in bytes."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator

    def ask(self, op: str, *streams: Outgoing, **args: Any) -> dict[str, Any]:
        """One exchange, measured."""
        self.operator.shell(f"rm -f {PEAKS}")
        result = self.operator.ask(op, *streams, deadline=120, **args)
        self.note(op, self.operator.shell(f"cat {PEAKS}").text)
        return result

    def note(self, op: str, kibibytes: str) -> None:
        """Takes a measurement down."""
        self[op] = max(self.get(op, 0), int(kibibytes) * 1024)


def test_no_op_takes_more_than_30_megabytes(operator: Operator, tmp_path: Path) -> None:
    peaks = Peaks(operator)
    image_id, image = large_image(tmp_path)
    tree = Tree(
        {"skerry-memory.service": forever("m")},
        {"/srv/skerry/large": secrets.token_hex(LARGE // 2)},
        images={image_id: REFERENCE},
    )
    for op in ("ping", "facts", "history", "inspect"):
        peaks.ask(op, containers=True)
    for op in ("lock", "recover", "lock"):
        peaks.ask(op, lock=operator.lock)
    peaks.ask("renew", token=operator.token)
    peaks.ask("unlock", token=operator.token)
    first = peaks.ask("observe", manifest=tree.manifest, text=True, images=True)
    peaks.ask(
        "push",
        *tree.blobs(first["missing"]),
        image,
        lock=operator.lock,
        compression="none",
        images={image_id: {"reference": REFERENCE, "size": image.size}},
    )
    activate(peaks, tree, 1, 0)
    # What is on the disk is compared with what shall be: the large file is read.
    peaks.ask("observe", manifest=tree.manifest, text=True, images=True)
    operator.shell("echo more >> /srv/skerry/large; touch -d 2001-01-01 /srv/skerry/large")
    edited = peaks.ask("observe", manifest=tree.manifest, text=True, images=True)
    assert edited["on_disk"]["/srv/skerry/large"]["kind"] == "file"
    # The edited one is put aside, the old one comes back.
    peaks.ask("lock", lock=operator.lock)
    activate(peaks, tree, 2, 1)
    peaks.ask("generation", number=2)
    assert len(operator.shell("ls -A /var/lib/skerry/blobs/sha256").text.split()) == 3
    peaks.ask("lock", lock=operator.lock)
    activate(peaks, Tree(), 3, 2, actions("stop", "skerry-memory.service"))
    peaks.ask("prune", keep=1, images=True, lock=operator.lock)
    settings = bootstrap_settings()
    for op in ("bootstrap", "harden", "reset"):
        peaks.ask(op, **settings)
    shown = ", ".join(f"{op} {peak / 1e6:.1f}" for op, peak in sorted(peaks.items()))
    print(f"peak memory in MB: {shown}")
    assert set(peaks) == {*OPS, "switch"}
    assert {op: peak for op, peak in peaks.items() if peak > LIMIT} == {}


def activate(
    peaks: Peaks, tree: Tree, number: int, base: int, act: list[Any] | None = None
) -> None:
    """A switch to the tree, measured while it waits to be confirmed, and confirmed."""
    do = act or actions("restart", "skerry-memory.service")
    generation = {"number": number, "who": "eva", "when": 0.0, "message": "", "changes": []}
    result = peaks.ask(
        "activate",
        token=peaks.operator.token,
        base=base,
        number=number,
        manifest=tree.manifest,
        generation={**generation, "rollback_of": None},
        actions=do,
        undo=[],
        daemon_reload=True,
        confirm_within=60.0,
    )
    assert result["state"] == "healthy", result
    unit = f"skerry-activate-{number}.service"
    words = f"systemctl show -P MainPID {unit}"
    waiting = f"sed -n 's/^VmHWM:\\s*\\([0-9]*\\) kB/\\1/p' /proc/$({words})/status"
    peaks.note("switch", peaks.operator.shell(waiting).text)
    rejoined = peaks.ask("rejoin", token=peaks.operator.token, number=number)
    assert rejoined["state"] == "healthy"
    peaks.ask("confirm", token=peaks.operator.token, number=number, unlock=True)


def large_image(folder: Path) -> tuple[str, Outgoing]:
    """An image of 64 MB that cannot be compressed, as a stream; its id."""
    write_layer(folder / "layer.tar", {"content": Entry(secrets.token_bytes(LARGE), 0o644)})
    path = folder / "image.tar"
    image_id = write_archive(path, [folder / "layer.tar"], f"{REFERENCE}:latest", config={})

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from iter(lambda: file.read(1 << 18), b"")

    return image_id, Outgoing("image", image_id, path.stat().st_size, chunks)


def bootstrap_settings() -> dict[str, Any]:
    """What the ops of `skerry node add` and `node reset` are asked with, to look only."""
    debian = RELEASES[0].platform
    return {
        "check": True,
        "user": "skerry",
        "keys": [],
        "package_manager": debian.manager,
        "packages": list(debian.packages),
        "optional": list(debian.optional),
        "brought": [],
        "zram_package": debian.zram,
        "low_memory": 0,
        "podman_minimum": [4, 4],
        "idle_units": list(debian.idle_units),
        "ssh_unit": debian.ssh_unit,
        "token": "",
    }
