"""Runs whole processes and measures them: what a person at a terminal waits for."""

from __future__ import annotations

import os
import tempfile
import time

import msgspec

from skerry.edge.run import Command, start


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run. `wall` and `cpu` are seconds; `cpu` includes children that were waited
    for, and not what nodes or a standing ssh master spent."""

    wall: float
    cpu: float
    status: int
    output: str


class RunFailed(Exception):
    """A measured command did not do what it should; the text says which and what it printed."""


def measure(command: Command, *, expect: int | None = 0) -> Run:
    """Runs a command to its end and measures it.

    Raises `RunFailed` when the exit status is not `expect` (None: any).
    """
    # A file: a peer's ssh master inherits the streams and would hold a pipe open.
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = start(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if expect is not None and process.returncode != expect:
        raise RunFailed(f"{command}: status {process.returncode}\n{text[-4000:]}")
    return Run(
        wall=wall, cpu=usage.ru_utime + usage.ru_stime, status=process.returncode, output=text
    )
