"""One pod edited: how long until its new container answers, beside a restart of it by hand."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from bench.cloud import FIRST_PORT, pod_yaml
from bench.figures import Figure, in_multiples
from bench.lab import BenchLab, skerry
from bench.measure import Run, RunFailed, measure
from bench.rounds import middle
from bench.stage import Stage, say
from skerry.edge.run import start

T = TypeVar("T")
# In seconds, more than the container takes to be stopped and started by hand.
BEYOND_GOAL = 0.5
# A pod that is on one node alone; its port comes from its number.
NUMBER = 99
NAME = f"web-{NUMBER}"
# Prints the clock when a new container answers: each has a page of its own. As long as the old one
# answers it is seldom asked, as an answer is a process on the cores that are timed.
AWAIT = """
import http.client, time
def ask():
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=0.2)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.read() if response.status == 200 else b""
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()
while not (old := ask()):
    time.sleep(0.01)
print("looking", flush=True)
until = time.monotonic() + 60
while (page := ask()) in (old, b""):
    if time.monotonic() > until:
        raise SystemExit("the pod was not replaced by one that answers")
    time.sleep(0.02 if page else 0.002)
print(time.monotonic())
"""
# What the container does first.
OWN_PAGE = "mkdir /own; cat /proc/sys/kernel/random/uuid >/own/index.html; "
RESTART = """
import os, time
print(time.monotonic(), flush=True)
os.execvp("systemctl", ["systemctl", "restart", "UNIT"])
"""


class Edit(msgspec.Struct, frozen=True):
    """An apply of an edited pod: seconds until its new container answers and until the command
    ends, and those of its phases, which follow each other."""

    answers: float
    ends: float
    phases: dict[str, float]


def bench_edit(stage: Stage) -> list[Figure]:
    """One pod of one node edited and applied, interleaved with restarts of its unit by hand."""
    node, path = next(iter(stage.trees)), stage.cloud / "cloud.yaml"
    before = path.read_text()
    path.write_text(f"{before}  {NAME}: {{pod: pods/{NAME}.yaml, nodes: [{node}]}}\n")
    write_pod(stage, "hello")
    measure(skerry("apply", "--yes", folder=stage.cloud))
    by_hand: list[float] = []
    edits: list[Edit] = []
    for number in range(1, stage.rounds + 1):
        by_hand.append(time_restart(stage.lab, node, f"skerry-{NAME}.0.service"))
        edits.append(time_edit(stage, node, f"greeting-{number}"))
        words = f"answers {edits[-1].answers:.2f} s, ends {edits[-1].ends:.2f} s"
        say(f"round {number}: restarted by hand {by_hand[-1]:.2f} s, edited: {words}")
    path.write_text(before)
    measure(skerry("apply", "--yes", folder=stage.cloud))
    answers = [edit.answers for edit in edits]
    beyond = [edit - hand for edit, hand in zip(answers, by_hand, strict=True)]
    phases = list(dict.fromkeys(phase for edit in edits for phase in edit.phases))
    return [
        in_multiples("one pod edited, to its answer", "restart", answers, by_hand),
        Figure(name="  beyond its restart", unit="s", ours=middle(beyond), goal=BEYOND_GOAL),
        Figure(name="  to the end of apply", unit="s", ours=middle([one.ends for one in edits])),
        *(
            Figure(
                name=f"    {phase}",
                unit="s",
                ours=middle([one.phases.get(phase, 0.0) for one in edits]),
            )
            for phase in phases
        ),
    ]


def time_restart(lab: BenchLab, node: str, unit: str) -> float:
    """Seconds from ``systemctl restart`` on the node to the first answer of the new container."""

    def restart() -> float:
        return float(lab.ssh(node, "python3 -", input=RESTART.replace("UNIT", unit).encode()))

    begun, answered = time_answer(lab, node, restart)
    return answered - begun


def time_edit(stage: Stage, node: str, greeting: str) -> Edit:
    """An apply of the pod with another greeting."""
    write_pod(stage, greeting)

    def apply() -> tuple[float, Run]:
        command = skerry("--json", "apply", "--yes", folder=stage.cloud)
        return time.monotonic(), measure(command)

    (begun, applied), answered = time_answer(stage.lab, node, apply)
    return Edit(answered - begun, applied.wall, phases_of(node, json.loads(applied.output)))


def phases_of(node: str, report: dict[str, Any]) -> dict[str, float]:
    """The phases of a run, with those of the node in the place of its activation."""
    phases = dict(report["seconds"])
    within = report["done"][node]
    rest = phases.pop("activate") - sum(within.values())
    return {**phases, **within, "the rest of activate": max(0.0, rest)}


def time_answer(lab: BenchLab, node: str, act: Callable[[], T]) -> tuple[T, float]:
    """What `act` returns, and when the first pod's new container answered on the node.

    The nodes of the lab share this machine's monotonic clock.
    """
    looking = start(
        lab.command(node, "python3 -"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert looking.stdin is not None and looking.stdout is not None
    looking.stdin.write(AWAIT.replace("PORT", str(FIRST_PORT + NUMBER - 1)).encode())
    looking.stdin.close()
    looking.stdout.readline()
    result = act()
    line = looking.stdout.read().decode().strip()
    looking.wait()
    if looking.returncode != 0:
        raise RunFailed(f"no answer of the edited pod on {node}: {line}")
    return result, float(line)


def write_pod(stage: Stage, greeting: str) -> None:
    """The pod's manifest with this greeting."""
    from tests.live.images_for_tests import BUSYBOX_IMAGE

    text = pod_yaml(NAME, image=BUSYBOX_IMAGE, greeting=greeting)
    text = text.replace('args: ["', f'args: ["{OWN_PAGE}').replace("-h /www", "-h /own")
    (stage.cloud / "pods" / f"{NAME}.yaml").write_text(text)
