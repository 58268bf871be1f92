"""What Skerry costs a node: the node program's size and memory, and what stays when it ends."""

from __future__ import annotations

import re
import shlex

from bench.figures import Figure
from bench.lab import BenchLab
from bench.measure import RunFailed
from bench.stage import Stage, say
from skerry.compile.tree import Tree
from skerry.edge import program
from skerry_node import wire

# Prints the largest resident set of all that it ran, in KiB (Linux's ru_maxrss), on its last line.
METER = (
    "import os, resource, sys\n"
    "pid = os.posix_spawn('/bin/sh', ['sh', '-c', sys.argv[1]], os.environ)\n"
    "status = os.wait4(pid, 0)[1]\n"
    "print('status', os.waitstatus_to_exitcode(status))\n"
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
)
OURS = re.compile(r"skerry_node|/var/lib/skerry|skerry-activate|\bskerry-agent\b")


def bench_node(stage: Stage) -> list[Figure]:
    """What Skerry costs a node: bytes on the wire once, memory for a moment, nothing at rest."""
    trees, lab = stage.trees, stage.lab
    node = next(iter(trees))
    size, peak = measure_program(lab, node, trees[node])
    residents = [line for name in trees for line in list_residents(lab, name)]
    for line in residents:
        say(f"still there: {line}")
    return [
        Figure(name="node program, sent once", unit="kB", ours=size / 1000, goal=40.0),
        Figure(name="node program, peak memory", unit="MB", ours=peak / 1e6, goal=30.0),
        Figure(name="processes of ours at rest", unit="", ours=float(len(residents)), goal=0),
    ]


def measure_program(lab: BenchLab, node: str, tree: Tree) -> tuple[int, int]:
    """The node program's size on the wire and its peak memory while it observes, in bytes.

    The peak is of the whole of its processes one by one, systemctl and the like included.
    """

    request = {
        "protocol": wire.PROTOCOL,
        "op": "observe",
        "args": {"manifest": tree.manifest(), "text": True, "images": True},
        "streams": [],
    }
    command = program.remote_command(program.digest())
    printed = lab.ssh(
        node,
        f"python3 -c {shlex.quote(METER)} {shlex.quote(command)}",
        input=wire.dump(request) + b"\n",
    )
    status, peak = printed.splitlines()[-2:]
    if status != "status 0":
        raise RunFailed(f"the node program on {node}: {status}\n{printed[-2000:]}")
    return len(program.build()), int(peak.split()[1]) * 1024


def list_residents(lab: BenchLab, node: str) -> list[str]:
    """The processes of Skerry on a node; none while no command runs."""
    return find_residents(lab.ssh(node, "ps -eo pid=,user=,args="), node)


def find_residents(listing: str, node: str) -> list[str]:
    """The lines of a process list that are Skerry's own, not the workloads' or the runtime's."""
    found = []
    for line in listing.splitlines():
        _, user, command = line.split(None, 2)
        is_runtime = re.match(
            r"\S*/?(conmon|crun|runc|netavark|aardvark-dns|rootlessport)\b", command
        )
        if (user == "skerry" and not is_ssh(command)) or (
            OURS.search(command) and not is_runtime and not is_listing(command)
        ):
            found.append(f"{node}: {line.strip()}")
    return found


def is_ssh(command: str) -> bool:
    """Whether it is sshd's end of the operator's standing connection, or that login's session."""
    return command.startswith(("sshd", "(sd-pam)", "/usr/lib/systemd/systemd --user"))


def is_listing(command: str) -> bool:
    """Whether it is the list itself."""
    return "ps -eo" in command
