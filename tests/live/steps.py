"""The steps of an apply, taken from the running code, and a fault at each of them.

An undisturbed apply under `effect_tracer` gives the places in the code that have an effect. Each
of them is a step; a place that has several effects (a file that is written and renamed) is stopped
at one of them, another one for another place. So whoever adds an effect to the code has it tested.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from zlib import crc32

import msgspec
from tests.live.aftermath import check_aftermath, look_at
from tests.live.lab_harness import wait_until
from tests.live.step_cloud import StepCloud

from skerry.edge.run import Finished, start
from skerry.lab import Node

TRACER = Path(__file__).with_name("effect_tracer.py")
# On the node, and there on its disk: it is there again after a power loss.
CONTROL = "/opt/skerry-steps"
_WRAPPER = """\
#!/usr/bin/{python} -IS
import os, sys
words = sys.argv[1:]
code = words[words.index("-c") + 1] if "-c" in words else ""
if "skerry_node" not in code:
    os.execv("/usr/bin/{python}", ["python3", *words])
sys.path.insert(0, "{control}")
import effect_tracer
sys.path.pop(0)
effect_tracer.become(words, "{control}")
"""
# Of a place with more effects one of the first is taken: how often a loop looks depends on time.
_FIRST = 6


_TOLD = re.compile(r"^error: |^  hint: |: unreachable: |the connection was lost")
# The environment variable that has only some steps be tested.
CHOICE = "SKERRY_STEPS"
# A record without a step of each of these would have missed most of an apply.
_PARTS = {
    "install.main",
    "observe.run_observe",
    "push.run_push",
    "activate.run_activate",
    "switch.main",
    "activate.run_confirm",
}


class Step(msgspec.Struct, frozen=True):
    """The `index`-th effect (`event`) of one process at one place of the code."""

    place: str
    index: int
    event: str

    def __str__(self) -> str:
        names = self.place.split(" > ")
        short = names if len(names) <= 4 else [*names[:2], "...", *names[-2:]]
        return f"{' > '.join(short)}  {self.event}"


class Row(msgspec.Struct, frozen=True):
    """What became of one step: the exit status of the disturbed apply and of the next one, how
    long all took, what the disturbed one said, and what was wrong afterwards, or empty."""

    step: Step
    first: int | None
    next: int | None
    seconds: float
    said: str = ""
    wrong: str = ""


class Trace:
    """The folder in which a tracer notes effects and is told where to stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def clear(self) -> None:
        """Forgets everything; from now on effects are noted and nothing is stopped."""
        for name in ("trace", "target", "reached", "go"):
            (self.folder / name).unlink(missing_ok=True)

    def aim(self, step: Step) -> None:
        """Has the next program that comes to the step stop there."""
        self.clear()
        unfinished = self.folder / "target.new"
        unfinished.write_text(json.dumps([step.place, step.index]))
        unfinished.rename(self.folder / "target")

    def is_reached(self) -> bool:
        """Whether a program has come to the step."""
        return (self.folder / "reached").exists()

    def disarm(self) -> None:
        """Has nothing stop any more; what stands there goes on."""
        (self.folder / "target").unlink(missing_ok=True)
        (self.folder / "go").touch()

    def steps(self) -> list[Step]:
        """What was noted since `clear`, one step per place, in the order in which they came."""
        found: dict[str, dict[str, list[str]]] = {}
        for line in (self.folder / "trace").read_text().splitlines():
            process, place, event = line.split("\t")
            found.setdefault(place, {}).setdefault(process, []).append(event)
        steps = []
        for place, by_process in found.items():
            events = next(iter(by_process.values()))[:_FIRST]
            index = crc32(place.encode()) % len(events)
            steps.append(Step(place, index, events[index]))
        return steps


def lay_trace(node: Node) -> Trace:
    """Puts the tracer around the node program of a lab node, for good."""
    python = node.disk / "usr/bin/python3"
    trace = Trace(node.disk / CONTROL.lstrip("/"))
    shutil.copy(TRACER, trace.folder / TRACER.name)
    if python.is_symlink():
        text = _WRAPPER.format(python=python.readlink(), control=CONTROL)
        wrapper = trace.folder / "python3"
        wrapper.write_text(text)
        wrapper.chmod(0o755)
        wrapper.rename(python)
    trace.clear()
    return trace


def forget_program(node: Node) -> None:
    """Has the next exchange install the node program: those are steps of an apply too."""
    shutil.rmtree(node.disk / "var/lib/skerry/program", ignore_errors=True)


def is_installing(step: Step) -> bool:
    """Whether the step is one of putting the node program on the node."""
    return step.place.startswith(("install.", "__main__.line"))


def record_steps(cloud: StepCloud, trace: Trace) -> list[Step]:
    """The steps of an undisturbed apply from one world to the next."""
    forget_program(cloud.node)
    trace.clear()
    cloud.turn()
    cloud.skerry("apply", "--yes")
    steps = trace.steps()
    seen = {step.place.partition(" > ")[0] for step in steps}
    assert seen >= _PARTS, f"no step of {', '.join(sorted(_PARTS - seen))}"
    return chosen(steps)


def chosen(steps: list[Step]) -> list[Step]:
    """Those steps that the expression in SKERRY_STEPS matches, for work on one of them."""
    pattern = os.environ.get(CHOICE, "")
    return [step for step in steps if re.search(pattern, f"{step.place}  {step.event}")]


def disturb_each_step(
    clouds: Sequence[StepCloud],
    fault: Callable[[int], Callable[[StepCloud], None]],
    *,
    restarted: set[str],
) -> list[Row]:
    """An apply that is disturbed, for each step; after each of them the next apply converges.

    `fault` gives what happens at the step of that number; `restarted` are the workloads that
    need not be as they were before. Raises AssertionError with the steps that went wrong.
    """
    traces = {cloud.name: lay_trace(cloud.node) for cloud in clouds}
    steps = record_steps(clouds[0], traces[clouds[0].name])

    def test(cloud: StepCloud, step: Step) -> Row:
        begun, before = monotonic(), look_at(cloud)
        first = disturb(cloud, traces[cloud.name], step, fault(steps.index(step)))
        then = cloud.skerry("apply", "--yes")
        check_aftermath(cloud, before, restarted=restarted)
        return Row(step, first.status, then.status, monotonic() - begun, first.error_text)

    rows = run_all(list(clouds), steps, test)
    print(render_rows(rows))
    raise_if_wrong(rows)
    return rows


def run_all(
    clouds: Iterable[StepCloud], steps: Iterable[Step], test: Callable[[StepCloud, Step], Row]
) -> list[Row]:
    """Tests each step on whichever node is free; the rows in the order of the steps."""
    waiting: SimpleQueue[Step] = SimpleQueue()
    ordered = list(steps)
    for step in ordered:
        waiting.put(step)
    rows: dict[Step, Row] = {}

    def work(cloud: StepCloud) -> None:
        while True:
            try:
                step = waiting.get_nowait()
            except Empty:
                return
            begun = monotonic()
            try:
                rows[step] = test(cloud, step)
                print(render_row(rows[step]), flush=True)
            except Exception as error:
                seconds, words = monotonic() - begun, str(error) or repr(error)
                rows[step] = Row(step, None, None, seconds, wrong=words)
                print(render_row(rows[step]), flush=True)
                if not _is_mended(cloud):
                    # What follows on this node would say nothing: the others do it.
                    return

    workers = [threading.Thread(target=work, args=(cloud,), daemon=True) for cloud in clouds]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [rows.get(step) or Row(step, None, None, 0.0, wrong="not tested") for step in ordered]


def _is_mended(cloud: StepCloud) -> bool:
    """Whether the node can be used for the next step after one that failed."""
    try:
        (cloud.node.disk / "var/lib/skerry/lock").unlink(missing_ok=True)
        cloud.skerry("apply", "--yes", expect=None)
        return "nothing to change" in cloud.skerry("apply", "--yes", expect=None).text
    except Exception:
        return False


def render_rows(rows: list[Row]) -> str:
    """The table: one line per step, and what the disturbed apply said."""
    title = f"{len(rows)} steps; exit status of the disturbed apply and of the next one"
    return "\n".join((title, *map(render_row, rows)))


def render_row(row: Row) -> str:
    """One step and what became of it."""
    states = f"{_shown(row.first):>3} {_shown(row.next):>3}  {row.seconds:5.1f} s"
    first = f"{states}  {row.step}" + ("  WRONG" if row.wrong else "")
    said = [*row.said.splitlines(), *row.wrong.splitlines()]
    return "\n".join((first, *(f"{'':18}{line}" for line in said)))


def representative(rows: list[Row]) -> list[str]:
    """What a person was told of the fault, once for each part of an apply: the node is `alpha`,
    and what there is to tell of a good apply is left out. Nothing of only some chosen steps."""
    if CHOICE in os.environ:
        return []
    found: dict[str, str] = {}
    for row in rows:
        told = [line for line in row.said.splitlines() if _TOLD.search(line)]
        part = row.step.place.partition(" > ")[0]
        if told and not row.wrong:
            text = re.sub(r"\b(beta|gamma)\b", "alpha", "\n".join(told))
            found.setdefault(part, text)
    return list(dict.fromkeys(found.values()))


def _shown(status: int | None) -> str:
    return "-" if status is None else str(status)


def raise_if_wrong(rows: list[Row]) -> None:
    """Fails with all that is wrong."""
    wrong = [f"{row.step}\n{row.wrong}" for row in rows if row.wrong]
    assert not wrong, f"{len(wrong)} of {len(rows)} steps:\n\n" + "\n\n".join(wrong)


def disturb(
    cloud: StepCloud, trace: Trace, step: Step, fault: Callable[[StepCloud], None]
) -> Finished:
    """An apply to the next world with a fault at one step; what it said.

    Raises AssertionError where the step was not reached, or the apply does not end.
    """
    cloud.turn()
    if is_installing(step):
        forget_program(cloud.node)
    trace.aim(step)
    command = cloud.command("apply", "--yes")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = start(command, stdout=out, stderr=err)
        try:
            wait_until(
                lambda: trace.is_reached() or child.poll() is not None,
                120,
                "the step to be reached",
            )
            is_reached = trace.is_reached()
            if is_reached:
                fault(cloud)
            trace.disarm()
            child.wait(timeout=240)
        finally:
            trace.disarm()
            child.kill()
            child.wait()
        for file in (out, err):
            file.seek(0)
        said = Finished(command, child.returncode, out.read(), err.read())
    assert is_reached, f"the step was not reached\n{said.text}\n{said.error_text}"
    assert "Traceback" not in said.error_text, said.error_text
    assert said.status in (0, 3), f"status {said.status}\n{said.text}\n{said.error_text}"
    if said.status != 0:
        # What happened, on which node, and what to do.
        for word in (cloud.name, "again"):
            assert word in said.error_text, said.error_text
    return said
