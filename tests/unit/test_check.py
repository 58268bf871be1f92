"""``skerry check``: output and exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from skerry.cli.main import run_command_line
from tests.unit.test_load_problems import CLOUD, POD, write_folder

RUN = "run: {w: {pod: pods/p.yaml}}\n"


def test_valid_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, {"cloud.yaml": CLOUD + RUN, "pods/p.yaml": POD})
    assert run_command_line(["-C", str(tmp_path), "check"]) == 0
    printed = capsys.readouterr()
    assert re.fullmatch(r"ok: 1 node, 1 workload, 0 ConfigMaps \(\d+ ms\)\n", printed.out)
    monkeypatch.chdir(tmp_path / "pods")
    assert run_command_line(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "name": "home",
        "nodes": 1,
        "workloads": 1,
        "configMaps": 0,
    }


def test_all_problems_sorted_by_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(
        tmp_path,
        {
            "cloud.yaml": CLOUD + "rum: {}\n" + RUN.replace("p.yaml", "q.yaml"),
            "pods/b.yaml": "a: [\n",
            "pods/a.yaml": POD + "    tty: true\n    stdinn: true\n",
        },
    )
    assert run_command_line(["-C", str(tmp_path), "check"]) == 2
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines() == [
        "cloud.yaml:4:1: no field `rum` here (did you mean `run`?)",
        "cloud.yaml:5:16: pod: pods/q.yaml is not there (did you mean pods/b.yaml?)",
        "pods/a.yaml:8:5: spec.containers[0].tty: refused: no terminal is attached to a unit of "
        "systemd (leave it out; `skerry exec -it POD -- sh` gives you one)",
        "pods/a.yaml:9:5: spec.containers[0]: no field `stdinn` here "
        "(did you mean `stdin`? It is refused: no terminal is attached to a unit of systemd)",
        "pods/b.yaml:2:1: is not YAML: did not find expected node content",
        "error: 5 errors in the cloud folder  [cloud-invalid]",
    ]


def test_problems_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path, {"cloud.yaml": CLOUD + "rum: {}\n"})
    assert run_command_line(["--json", "-C", str(tmp_path), "check"]) == 2
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is False
    assert shown["problems"] == [
        {
            "file": "cloud.yaml",
            "line": 4,
            "column": 1,
            "message": "no field `rum` here",
            "hint": "did you mean `run`?",
        }
    ]


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["-C", str(tmp_path), "check"]) == 2
    assert "there is no cloud.yaml in" in capsys.readouterr().err


def test_check_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No subprocess and no connection: `check` works on a train."""
    import socket
    import subprocess

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("check reached out")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    write_folder(tmp_path, {"cloud.yaml": CLOUD + RUN, "pods/p.yaml": POD})
    assert run_command_line(["-C", str(tmp_path), "check"]) == 0
