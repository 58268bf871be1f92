"""The steps of an apply come from the code: an effect that is new in it is a step by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.steps import Step, Trace

ROOT = Path(__file__).parents[2]
# Stands for the node program: one module that is a means, and one that uses it.
DURABLE = """\
import os

def write_durable(path, content):
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, content)
    os.close(descriptor)
    os.rename(path + ".new", path)
"""
OP = """\
import os
from skerry_node.durable import write_durable

def run_op(folder):
    with open(folder + "/there") as file:
        file.read()
    write_record(folder)
    again(folder, 2)

def write_record(folder):
    write_durable(folder + "/record", b"1")
    write_durable(folder + "/record", b"2")

def again(folder, left):
    if left:
        again(folder, left - 1)
    else:
        os.mkdir(folder + "/made")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a program of that shape."""
    package = tmp_path / "skerry_node"
    package.mkdir()
    (package / "durable.py").write_text(DURABLE)
    (package / "op.py").write_text(OP)
    (tmp_path / "there").write_text("only read")
    return tmp_path


def run_traced(program: Path, trace: Trace, *, is_deadly: bool = True) -> int:
    """Runs the program under a tracer; its exit status."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from tests.live.effect_tracer import Tracer\n"
        "Tracer(sys.argv[3], '/skerry_node/', is_deadly=sys.argv[4] == 'True').start()\n"
        "from skerry_node.op import run_op; run_op(sys.argv[2])"
    )
    words = (str(ROOT), str(program), str(trace.folder), str(is_deadly))
    return subprocess.run((sys.executable, "-I", "-S", "-c", code, *words), check=False).returncode


def test_each_place_that_has_an_effect_is_a_step(program: Path) -> None:
    trace = Trace(program / "trace")
    assert run_traced(program, trace) == 0
    assert [step.place for step in trace.steps()] == [
        "op.run_op > op.write_record > durable.write_durable",
        "op.run_op > op.again",
    ]


def test_a_new_effect_is_a_new_step(program: Path) -> None:
    trace = Trace(program / "trace")
    module = program / "skerry_node/op.py"
    line = '        os.mkdir(folder + "/made")\n'
    assert line in OP
    module.write_text(OP.replace(line, line + "        planted(folder)\n") + (
        "\ndef planted(folder):\n    os.symlink('x', folder + '/link')\n"
    ))  # fmt: skip
    assert run_traced(program, trace) == 0
    assert trace.steps()[-1] == Step("op.run_op > op.again > op.planted", 0, "os.symlink")


@pytest.mark.parametrize(
    ("index", "left"),
    [
        (0, {}),
        (1, {"record.new": ""}),
        (2, {"record.new": "1"}),
        (3, {"record": "1"}),
        (5, {"record": "1", "record.new": "2"}),
    ],
)
def test_it_dies_just_before_the_effect(program: Path, index: int, left: dict[str, str]) -> None:
    trace = Trace(program / "trace")
    trace.aim(Step("op.run_op > op.write_record > durable.write_durable", index, ""))
    assert run_traced(program, trace) == -signal.SIGKILL
    assert trace.is_reached()
    assert {path.name: path.read_text() for path in program.glob("record*")} == left


def test_it_waits_before_the_effect_until_it_may_go_on(program: Path) -> None:
    trace = Trace(program / "trace")
    trace.aim(Step("op.run_op > op.again", 0, ""))
    trace.disarm()
    (trace.folder / "target").write_text(json.dumps(["op.run_op > op.again", 0]))
    assert run_traced(program, trace, is_deadly=False) == 0
    assert trace.is_reached()
    assert (program / "made").is_dir()
