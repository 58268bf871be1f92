"""ruff and strict mypy pass: style and types are tests like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.sources import ROOT

FOLDERS = ("src", "tests", "bench", "tools")
BOOLEAN_POSITION = "def start(unit: str, now: bool) -> None:\n    print(unit, now)\n"
WRONG_TYPE = "number: int = 'one'\n"


def run_module(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs a Python module of the development environment in the project's root."""
    return subprocess.run(
        (sys.executable, "-m", *words), cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("ruff", "check", *FOLDERS), id="ruff-check"),
        pytest.param(("ruff", "format", "--check", *FOLDERS), id="ruff-format"),
        pytest.param(("mypy",), id="mypy"),
        # The oldest version that mypy still knows; test_architecture covers the rest to 3.9.
        pytest.param(("mypy", "--python-version", "3.10", "src/skerry_node"), id="mypy-node"),
    ],
)
def test_passes(words: tuple[str, ...]) -> None:
    finished = run_module(*words)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_a_boolean_positional_argument_is_seen(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(BOOLEAN_POSITION)
    finished = run_module("ruff", "check", "--config", "pyproject.toml", str(planted))
    assert "FBT001" in finished.stdout, finished.stdout + finished.stderr


def test_a_wrong_type_is_seen(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(WRONG_TYPE)
    finished = run_module("mypy", "--config-file", "pyproject.toml", str(planted))
    assert finished.returncode == 1, finished.stdout + finished.stderr
