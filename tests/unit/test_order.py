"""The order of a whole run: what takes long comes first, and files stay whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.order import ROOT, in_order, read_seconds, write_seconds


def item(file: str, name: str = "test_x") -> Any:
    return SimpleNamespace(path=ROOT / file, name=name)


def test_the_longest_file_comes_first_and_what_is_not_known_stays_last() -> None:
    items = [item("tests/a.py", "1"), item("tests/b.py"), item("tests/c.py"), item("tests/d.py"),
             item("tests/a.py", "2")]  # fmt: skip
    ordered = in_order(items, {"tests/c.py": 300, "tests/a.py": 20})
    assert [one.path.name for one in ordered] == ["c.py", "a.py", "a.py", "b.py", "d.py"]
    assert [one.name for one in ordered[1:3]] == ["1", "2"]


def test_every_file_that_is_known_is_there() -> None:
    missing = [name for name in read_seconds() if not (ROOT / name).is_file()]
    assert missing == [], "take them out of tests/seconds.json"


def test_seconds_of_a_run_are_written_beside_those_of_other_files(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "seconds.json"
    live, slow = "tests/live/test_apply.py", "tests/live/test_roll.py"
    kept.write_text(f'{{"{live}": 70, "tests/gone.py": 50, "tests/conftest.py": 9}}')
    monkeypatch.setattr("tests.order.SECONDS", kept)
    reports = [
        pytest.TestReport(f"{name}::test", ("", 0, ""), {}, "passed", None, "call", duration=took)
        for name, took in ((slow, 40.2), (slow, 50.3), (live, 3.0))
    ]
    write_seconds(reports)
    assert read_seconds() == {slow: 90, "tests/conftest.py": 9}
