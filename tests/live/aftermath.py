"""After a fault: whether the next apply converged, and whether anything was left anywhere.

before = look_at(cloud)
... a fault, and the next `skerry apply` ...
check_aftermath(cloud, before, restarted={"web"})
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from tests.live.cloud_for_tests import LiveCloud
from tests.live.lab_harness import wait_until

from skerry.edge.paths import socket_folder
from skerry.edge.run import run
from skerry.edge.ssh import control_path

_LOOK = Path(__file__).with_name("aftermath_look.py").read_bytes()
# What ends by itself (a container's cleanup, a unit that is collected) ends within so long, in
# seconds; `wait_until` gives it 20 in all, on a machine that is busy with other tests.
ENDS_WITHIN = 5.0


class Container(msgspec.Struct, frozen=True):
    """A running container: another `id` or `started` means that it was not left alone."""

    id: str
    started: float
    workload: str


class NodeLook(msgspec.Struct, frozen=True):
    """What `aftermath_look` says of one node; `leftovers` are in words."""

    generation: int
    workloads: list[str]
    containers: dict[str, Container]
    scratch: list[str]
    nameless: list[str]
    leftovers: list[str]


class Look(msgspec.Struct, frozen=True):
    """Nodes by name, and what is left over on the operator's side, in words."""

    nodes: dict[str, NodeLook]
    operator: list[str]


def look_at(cloud: LiveCloud, nodes: Iterable[str] | None = None) -> Look:
    """What runs on the cloud's nodes (or on some of them), past Skerry and past SSH."""
    names = list(cloud.addresses if nodes is None else nodes)
    return Look({name: _look_at_node(cloud, name) for name in names}, operator_leftovers(cloud))


def check_aftermath(
    cloud: LiveCloud,
    before: Look,
    *,
    restarted: Iterable[str] = (),
    ends_within: float = ENDS_WITHIN,
) -> None:
    """Fails unless the cloud is as the folder says and nothing is left of what happened.

    A further apply changes nothing and `diff` finds nothing; every container of `before` still
    runs, started when it was then, unless its workload is `restarted` or no longer there; on
    the nodes and here is no temporary or half-written file, no lock, no journal, and no mount,
    process, unit, container, volume or secret that the active generation does not have.
    """
    faults = convergence_faults(cloud)
    touched = set(restarted)

    def remaining() -> list[str]:
        after = look_at(cloud, before.nodes)
        found = [f"operator: {words}" for words in after.operator]
        for name, node in after.nodes.items():
            told = node_faults(before.nodes[name], node, touched)
            found += [f"{name}: {words}" for words in told]
        return found

    last: list[str] = []

    def is_clean() -> bool:
        last[:] = remaining()
        return not last

    try:
        wait_until(is_clean, ends_within, "a clean aftermath")
    except AssertionError:
        faults += last
    assert not faults, "after the fault and the next apply:\n" + "\n".join(faults)


def convergence_faults(cloud: LiveCloud) -> list[str]:
    """What a further apply would still change, and what `diff` finds."""
    again = cloud.skerry("apply", "--yes", expect=None)
    faults = []
    if again.status != 0 or "nothing to change" not in again.text:
        words = f"{again.text}\n{again.error_text}".strip()
        faults.append(f"a further apply (status {again.status}) says:\n{words}")
    found = cloud.skerry("diff", expect=None)
    if found.status != 0:
        faults.append(f"diff (status {found.status}) says:\n{found.text}\n{found.error_text}")
    return faults


def node_faults(before: NodeLook, after: NodeLook, restarted: set[str]) -> list[str]:
    """What is wrong on one node, in words."""
    faults = list(after.leftovers)
    for name, then in before.containers.items():
        if then.workload in restarted or then.workload not in after.workloads:
            continue
        now = after.containers.get(name)
        if now is None:
            faults.append(f"container {name} has stopped without need")
        elif (now.id, now.started) != (then.id, then.started):
            faults.append(f"container {name} was restarted without need")
    faults += [f"temporary file {path}" for path in after.scratch if path not in before.scratch]
    faults += [f"nameless image {one}" for one in after.nameless if one not in before.nameless]
    return faults


def operator_leftovers(cloud: LiveCloud) -> list[str]:
    """What a command left on the operator's machine: processes, temporary files, sockets.

    The master of a multiplexed connection stays for two minutes and is none.
    """
    found = [f"process {pid}: {words}" for pid, words in _processes_of(cloud.folder)]
    for folder in (cloud.folder, cloud.folder / ".skerry"):
        if folder.is_dir():
            for path in folder.iterdir():
                if re.fullmatch(r"\..*\.(new|\d+)|tmp.*", path.name):
                    found.append(f"temporary file {path}")
    for name in _sockets_of(cloud):
        # ssh makes its socket under a name with a random end, and links it.
        found += [f"socket {path}" for path in socket_folder().glob(f"{name}.*")]
    return found


def _look_at_node(cloud: LiveCloud, name: str) -> NodeLook:
    command = cloud.lab.node(name).console_command("python3", "-I", "-S", "-")
    return msgspec.json.decode(run(command, input=_LOOK, timeout=120).stdout, type=NodeLook)


def _processes_of(folder: Path) -> list[tuple[int, str]]:
    """`skerry` in that folder, and whatever has the folder among its words."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            words = _words_of(process)
            is_there = (process / "cwd").readlink() == folder
        except OSError:
            continue
        # A master that stays, and the program by which it reaches the lab's network.
        is_master = words.endswith("[mux]") or words.startswith("socat ")
        if not is_master and ((is_there and words) or str(folder) in words):
            found.append((int(process.name), words[:160]))
    return found


def _words_of(process: Path) -> str:
    words = (process / "cmdline").read_bytes().replace(b"\0", b" ")
    return words.decode(errors="replace").strip()


def _sockets_of(cloud: LiveCloud) -> list[str]:
    from skerry.cli.cloud import make_link
    from skerry.load.cloud import load_cloud

    loaded = load_cloud(cloud.folder)
    links = [make_link(cloud.folder, loaded, name) for name in loaded.nodes]
    return [Path(control_path(link)).name for link in links]
