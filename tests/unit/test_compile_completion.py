"""Stamps: what is made of a unit that ends for good, and what the shell makes of that."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from skerry.compile.runtimes.completion import COMPLETED_FOLDER, compile_completion
from skerry.edge.run import Command, run


def test_stamp_has_the_digest_of_what_the_unit_is_made_from() -> None:
    first = compile_completion("skerry-once.0", [b"a", b"b"])
    assert first.stamp.startswith(f"{COMPLETED_FOLDER}/skerry-once.0@")
    assert first.unit == [("ConditionPathExists", f"!{first.stamp}")]
    assert compile_completion("skerry-once.0", [b"a", b"b"]) == first
    assert compile_completion("skerry-once.0", [b"ab"]).stamp != first.stamp
    assert compile_completion("skerry-once.1", [b"a", b"b"]).stamp != first.stamp


def run_command(line: str, stamp: str, folder: Path, **variables: str) -> str:
    """Runs the script of a unit's line as systemd would; what the stamp says then."""
    script = shlex.split(line)[2].replace("$$", "$").replace("%%", "%")
    place = folder / "completed" / "stamp"
    place.unlink(missing_ok=True)
    command = Command(("/bin/sh", "-c", script, "sh", str(place)), env=tuple(variables.items()))
    run(command)
    return place.read_text().strip() if place.exists() else ""


@pytest.mark.parametrize(
    ("when", "main", "result", "status", "said"),
    [
        ("success", "", "success", "0", "success 0"),
        ("success", "", "exit-code", "3", ""),
        ("any end", "", "exit-code", "3", "exit-code 3"),
        # Told to stop: a shutdown is no end.
        ("any end", "77", "success", "0", ""),
        ("success", "77", "success", "0", ""),
    ],
)
def test_stamp_is_written_when_the_container_ended_by_itself(
    tmp_path: Path, when: str, main: str, result: str, status: str, said: str
) -> None:
    completion = compile_completion("x", [b""], when=when)  # type: ignore[arg-type]
    ((key, line),) = completion.service
    assert key == "ExecStop"
    variables = {"MAINPID": main, "SERVICE_RESULT": result, "EXIT_STATUS": status}
    assert run_command(line, completion.stamp, tmp_path, **variables) == said


def test_stamp_of_a_oneshot_is_written_after_its_command(tmp_path: Path) -> None:
    completion = compile_completion("x", [b""], kind="oneshot")
    ((key, line),) = completion.service
    assert key == "ExecStartPost"
    assert run_command(line, completion.stamp, tmp_path) == "success 0"
