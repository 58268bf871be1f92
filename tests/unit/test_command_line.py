"""The command line's root: where --json may stand, and what an unknown command says."""

from __future__ import annotations

import pytest

from skerry.cli.main import _json_first, run_command_line


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["plan", "--json"], ["--json", "plan"]),
        (["--json", "plan", "-n", "a"], ["--json", "plan", "-n", "a"]),
        (["plan"], ["plan"]),
        (["exec", "web", "--", "jq", "--json"], ["exec", "web", "--", "jq", "--json"]),
        (["exec", "web", "jq", "--json"], ["exec", "web", "jq", "--json"]),
        (["lab", "exec", "--", "x", "--json"], ["lab", "exec", "--", "x", "--json"]),
    ],
)  # fmt: skip
def test_json_may_follow_the_command(typed: list[str], meant: list[str]) -> None:
    assert _json_first(typed) == meant


def test_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["aply"]) == 2
    assert "did you mean 'apply'?" in capsys.readouterr().err
