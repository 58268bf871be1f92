"""What comes before the nodes: `check`, and `plan` until the first ssh is started.

Beside `python -c pass`, in one run: no command of ours can take less than Python's own start.
"""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

from bench.figures import Figure, in_multiples
from bench.lab import skerry
from bench.measure import Run, RunFailed, measure
from bench.rounds import interleave
from bench.smoke import alone, write_small
from bench.stage import Stage
from skerry.edge.run import Command, start

ROUNDS = 15
GOAL = 5.0
# Says that it was started, and fails as ssh does where there is no way to the node.
SSH = '#!/bin/sh\necho >"$SKERRY_BENCH_ASKED"\nexit 255\n'


def bench_start(stage: Stage) -> list[Figure]:
    """`check` and the local part of `plan`, where the folder is as it was last time."""
    folder = stage.work / "start"
    small = write_small(folder / "small")
    asked = make_ssh(folder)
    path = f"{folder}:{os.environ['PATH']}"
    words = alone(skerry("plan", folder=small), folder)
    plan = Command(words.argv, (*words.env, ("PATH", path), ("SKERRY_BENCH_ASKED", str(asked))),
                   words.cwd)  # fmt: skip
    check = alone(skerry("check", folder=small), folder)
    # Twice: the first time it is thought through, and remembered.
    for _ in range(2):
        measure(check)
        measure_until(plan, asked)
    nothing = Command.of(sys.executable, "-c", "pass")
    runs = interleave(
        {
            "check": lambda: measure(check),
            "plan": lambda: measure_until(plan, asked),
            "nothing": lambda: measure(nothing),
        },
        rounds=max(ROUNDS, stage.rounds),
    )
    walls = {name: [run.wall for run in ones] for name, ones in runs.items()}
    yardstick = "python -c pass"
    return [
        in_multiples("check", yardstick, walls["check"], walls["nothing"], goal=GOAL),
        in_multiples(
            "plan, until nodes are asked", yardstick, walls["plan"], walls["nothing"], goal=GOAL
        ),
    ]


def make_ssh(folder: Path) -> Path:
    """A stand-in for ssh in the folder; the pipe that it writes to when it is started."""
    ssh, asked = folder / "ssh", folder / "asked"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    os.mkfifo(asked)
    return asked


def wait_for(reading: int, pid: int) -> bool:
    """Whether something is written, before the process ends."""
    ended = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        poll.register(ended, select.POLLIN)
        return any(descriptor == reading for descriptor, _ in poll.poll())
    finally:
        os.close(ended)


def measure_until(command: Command, asked: Path) -> Run:
    """Runs the command to its end; `wall` is the time until the stand-in for ssh was started.

    Raises `RunFailed` where that never happens.
    """
    reading = os.open(asked, os.O_RDONLY | os.O_NONBLOCK)
    try:
        started = time.perf_counter()
        with open(os.devnull, "wb") as nowhere:
            process = start(command, stdout=nowhere, stderr=nowhere)
        ready = wait_for(reading, process.pid)
        wall = time.perf_counter() - started
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        os.close(reading)
    if not ready:
        raise RunFailed(f"{command} asked no node")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall=wall, cpu=cpu, status=process.returncode, output="")
