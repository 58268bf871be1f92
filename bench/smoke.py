"""The quick ratios that `make test` guards: no lab, no peers, the CPU of processes alone.

Each is measured in turn with a yardstick that is Python too, so that neither the speed of the
machine nor what else runs on it decides: what a busy core, a shared cache or a slow clock costs,
it costs both. Wall time would not do, because tests run beside.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.cloud import place_pods, write_pods
from bench.figures import Figure, in_multiples
from bench.fleet import ROOT, write_fleet
from bench.fleet_run import IMAGE, IMAGE_ID
from bench.lab import skerry
from bench.measure import Run, measure
from bench.rounds import interleave
from bench.stage import Stage
from skerry.edge.run import Command

ROUNDS = 9
# In the bench, where floors are recorded.
BENCH_ROUNDS = 15
# What takes a hundredth of a second is run several times, so that it can be measured.
PYTHON_TIMES = 5
SSH_TIMES = 20
FLEET_NODES = 200
# Work of the kind that compile and plan do: dicts, text, digests. Some 0.4 s.
LOOP = """\
import hashlib, json
found = {}
for number in range(1200):
    node = {f"/etc/{number}/{one}": {"digest": hashlib.sha256(b"%d" % one).hexdigest(), "mode": one}
            for one in range(40)}
    found[number] = json.loads(json.dumps(dict(sorted(node.items()))))
    assert found[number] == node
"""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured, and the yardstick that is measured beside it. `goal` is in multiples."""

    name: str
    ours: Command
    yardstick: str
    beside: Command
    goal: float | None = None


def bench_smoke(stage: Stage) -> list[Figure]:
    """The section of the bench."""
    with open_pairs(stage.work / "smoke", "bench-smoke") as pairs:
        return measure_pairs(pairs, rounds=max(BENCH_ROUNDS, stage.rounds))


@contextmanager
def open_pairs(folder: Path, lab: str) -> Iterator[list[Pair]]:
    """The pairs while the block lasts, on cloud folders that are written into `folder`.

    `lab` is the name of a lab without nodes, whose sshd the loopback's nodes take.
    """
    from tests.loopback_cloud import LoopbackCloud
    from tests.loopback_nodes import LoopbackNodes, debian_root

    small = write_small(folder / "small")
    write_fleet(folder / "fleet", "spread", nodes=FLEET_NODES)
    fleet = (sys.executable, "-m", "bench.fleet_run", str(folder / "fleet"), "changed")
    check = alone(skerry("check", folder=small), folder)
    python = several(PYTHON_TIMES, Command.of(sys.executable, "-c", "pass"))
    with debian_root(lab) as source:
        nodes = LoopbackNodes(folder.resolve() / "root", source, count=3)
    try:
        cloud = LoopbackCloud(folder / "loopback", nodes, nodes.named(3))
        yield [
            Pair(
                name="check, CPU",
                ours=several(PYTHON_TIMES, check),
                yardstick="python -c pass",
                beside=python,
                goal=5.0,
            ),
            Pair(
                name="check, read anew, CPU",
                ours=several(1, check, before="rm -rf .skerry"),
                yardstick=f"{PYTHON_TIMES} python",
                beside=python,
            ),
            Pair(
                name=f"{FLEET_NODES} nodes planned, CPU",
                ours=Command(fleet, cwd=str(ROOT)),
                yardstick="a loop",
                beside=Command.of(sys.executable, "-c", LOOP),
            ),
            Pair(
                name="apply, no change, CPU",
                ours=cloud.command("apply", "--yes"),
                yardstick=f"{SSH_TIMES} ssh true",
                beside=several(SSH_TIMES, cloud.ssh("n-000", "true")),
            ),
        ]
    finally:
        nodes.close()


def several(times: int, command: Command, *, before: str = "true") -> Command:
    """The command run so many times in a row, each after a shell command `before`."""
    script = f"set -e; for i in $(seq {times}); do {before}; {command} >/dev/null; done"
    return msgspec.structs.replace(command, argv=("/bin/sh", "-c", script))


def measure_pairs(pairs: Sequence[Pair], *, rounds: int = ROUNDS) -> list[Figure]:
    """The figures, of so many interleaved rounds; each command has run once before."""
    figures = []
    for pair in pairs:
        measure(pair.ours)
        runs = interleave(
            {"ours": lambda: measure(pair.ours), "beside": lambda: measure(pair.beside)},  # noqa: B023
            rounds=rounds,
        )
        figures.append(
            in_multiples(
                pair.name, pair.yardstick, cpus(runs["ours"]), cpus(runs["beside"]), goal=pair.goal
            )
        )
    return figures


def write_small(folder: Path) -> Path:
    """A cloud folder of three nodes with ten pods on each, as valid as `check` wants it."""
    write_pods(folder, pods=10, image=IMAGE)
    nodes = "".join(
        f"  {name}: {{ssh: root@198.18.1.{number}}}\n"
        for number, name in enumerate(("alpha", "beta", "gamma"), start=10)
    )
    text = f"name: small\nnodes:\n{nodes}\nrun: {{}}\n"
    (folder / "cloud.yaml").write_text(place_pods(text, pods=10))
    lock = f'{{"format": 1, "images": {{"{IMAGE}": {{"id": "{IMAGE_ID}", "size": 0}}}}}}'
    (folder / "cloud.lock").write_text(lock)
    return folder


def alone(command: Command, folder: Path) -> Command:
    """The command with an image store of its own: whoever builds an image elsewhere on the
    machine would have it ask Podman again."""
    store = folder / "store"
    store.mkdir(exist_ok=True)
    config = store / "storage.conf"
    config.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{store}/graph"\nrunroot = "{store}/run"\n'
    )
    return msgspec.structs.replace(
        command, env=(*command.env, ("CONTAINERS_STORAGE_CONF", str(config)))
    )


def cpus(runs: Sequence[Run]) -> list[float]:
    """The CPU seconds of runs."""
    return [run.cpu for run in runs]
