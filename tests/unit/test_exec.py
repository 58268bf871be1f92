"""exec: which replica, which container, and the command for the node."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from skerry.edge.run import Command
from skerry.errors import UsageError
from skerry.observe.containers import Inspected
from skerry.observe.executing import Execution, Target, choose_target, compile_remote
from skerry.observe.log_streams import client_only
from tests.unit.wire_examples import unit_entry, unit_state

TOKEN = "0123456789abcdef"
BLOG = Target(
    node="alpha", workload="blog", replica=0, container="web", unit="skerry-blog.0.service"
)


def inspected(**states: dict[str, Any]) -> Inspected:
    """A node with a replica of `blog` per state, numbered from 0."""
    units = {f"skerry-blog.{at}.service": unit_entry(replica=at) for at in range(len(states))}
    return Inspected(
        generation=1,
        units=units,
        states={
            unit: unit_state(**state) for unit, state in zip(units, states.values(), strict=True)
        },
    )


def pod() -> Inspected:
    """A node with a pod of two containers."""
    units = {
        "skerry-q.0-pod.service": unit_entry(workload="q", container="", image_id=""),
        "skerry-q.0.a.service": unit_entry(workload="q", container="a"),
        "skerry-q.0.b.service": unit_entry(workload="q", container="b"),
    }
    return Inspected(generation=1, units=units, states={unit: unit_state() for unit in units})


def test_the_first_running_replica() -> None:
    failed = {"active": "failed"}
    target = choose_target(
        {"alpha": inspected(one=failed), "beta": inspected(one=failed, two={})}, "blog", None
    )
    assert (target.node, target.replica, target.unit) == ("beta", 1, "skerry-blog.1.service")


def test_the_container_of_a_pod() -> None:
    assert choose_target({"alpha": pod()}, "q", None).unit == "skerry-q.0.a.service"
    assert choose_target({"alpha": pod()}, "q", "b").unit == "skerry-q.0.b.service"
    with pytest.raises(UsageError, match="q has no container 'c'") as caught:
        choose_target({"alpha": pod()}, "q", "c")
    assert caught.value.hint == "containers: a, b"


def test_nothing_to_run_in() -> None:
    with pytest.raises(UsageError, match="no replica of blog runs: failed on alpha") as caught:
        choose_target({"alpha": inspected(one={"active": "failed"})}, "blog", None)
    assert caught.value.hint == "skerry logs blog"
    with pytest.raises(UsageError, match="no workload 'news' on alpha"):
        choose_target({"alpha": inspected(one={})}, "news", None)


def run_with_podman(folder: Path, execution: Execution, script: str) -> tuple[int, list[str], bool]:
    """Runs the node's command here with a script in Podman's place.

    Its status, the words that Podman got, and whether the mark was left.
    """
    podman = folder / "podman"
    podman.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{folder}/words\n{script}\n')
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    podman.chmod(0o755)
    sudo.chmod(0o755)
    token = f"{TOKEN}-{folder.name}"
    finished = subprocess.run(
        ["sh", "-c", compile_remote(BLOG, execution, token)],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        check=False,
    )
    mark = Path(f"/tmp/.skerry-exec-{token}")
    left = mark.exists()
    mark.unlink(missing_ok=True)
    return finished.returncode, (folder / "words").read_text().splitlines(), left


def test_the_command_on_the_node(tmp_path: Path) -> None:
    execution = Execution(words=("echo", "a b", "$HOME", "-x"), has_input=True)
    status, words, left = run_with_podman(tmp_path, execution, "exit 7")
    assert words == ["exec", "--interactive", "skerry-blog.0", "echo", "a b", "$HOME", "-x"]
    assert (status, left) == (7, False)


def test_the_commands_own_255_leaves_a_mark(tmp_path: Path) -> None:
    status, words, left = run_with_podman(
        tmp_path, Execution(words=("x",), has_terminal=True, term="vt100"), "exit 255"
    )
    assert words == ["exec", "--tty", "--env=TERM=vt100", "skerry-blog.0", "x"]
    assert (status, left) == (255, True)


def test_a_client_never_becomes_the_master() -> None:
    command = client_only(Command(("ssh", "-o", "ControlMaster=auto", "--", "alpha", "true")))
    # ssh takes the first value of an option.
    assert command.argv[:3] == ("ssh", "-o", "ControlMaster=no")
    assert shlex.join(command.argv).endswith("-- alpha true")
