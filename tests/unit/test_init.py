"""``skerry init``: the folder it makes, and what it leaves alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skerry.cli.init import starting_files
from skerry.cli.main import run_command_line
from skerry.load.cloud import load_cloud
from skerry.load.edit import insert_node


def uncommented(text: str) -> str:
    """cloud.yaml with its examples in place of the empty values."""
    text = text.replace("nodes: {}", "nodes:").replace("run: {}", "run:")
    return re.sub(r"^#  ([a-z]+: +\{)", r"  \1", text, flags=re.MULTILINE)


def test_fresh_folder_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "My Home"
    assert run_command_line(["init", str(folder)]) == 0
    assert run_command_line(["-C", str(folder), "check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"made cloud.yaml, pods/hello.yaml, .gitignore in {folder}"
    assert lines[2].startswith("ok: 0 nodes, 0 workloads, 1 ConfigMap (")
    assert load_cloud(folder).name == "my-home"
    assert (folder / ".gitignore").read_text().splitlines()[-1] == ".skerry/"
    assert run_command_line(["init", str(folder)]) == 2
    assert "is a cloud folder already" in capsys.readouterr().err


def test_examples_in_comments_are_valid(tmp_path: Path) -> None:
    run_command_line(["init", str(tmp_path / "home")])
    path = tmp_path / "home/cloud.yaml"
    text = uncommented(path.read_text())
    # Two ways to place the same workload: one at a time.
    one = text.replace("  hello: {pod: pods/hello.yaml, replicas", "#  hello: {pod: x, replicas")
    two = text.replace("  hello: {pod: pods/hello.yaml, nodes", "#  hello: {pod: x, nodes")
    path.write_text(one)
    assert load_cloud(tmp_path / "home").workloads["hello"].nodes == ("alpha", "beta")
    path.write_text(two)
    assert load_cloud(tmp_path / "home").workloads["hello"].replicas == 2
    assert list(load_cloud(tmp_path / "home").nodes) == ["alpha", "beta", "attic"]


def test_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    run_command_line(["init", str(tmp_path / "a"), "--lab", "demo", "--name", "on"])
    cloud = load_cloud(tmp_path / "a")
    assert cloud.name == "on"
    assert cloud.ssh_config == "/home/me/.local/state/skerry/lab/demo/ssh_config"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    run_command_line(["init", str(tmp_path / "b"), "--lab", "demo"])
    assert load_cloud(tmp_path / "b").ssh_config == "/state/skerry/lab/demo/ssh_config"


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pods").mkdir()
    (tmp_path / "pods/hello.yaml").write_text("mine")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert run_command_line(["init", str(tmp_path), "--name", "x"]) == 2
    assert "hello.yaml is there already" in capsys.readouterr().err
    assert not (tmp_path / "cloud.yaml").exists()
    (tmp_path / "pods/hello.yaml").unlink()
    assert run_command_line(["init", str(tmp_path), "--name", "x"]) == 0
    assert (tmp_path / ".gitignore").read_text() == "*.log\n"
    assert "add this line to .gitignore: .skerry/" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["Big", "a_b", "-a", "", "a" * 64])
def test_bad_names(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["init", str(tmp_path / "a"), "--name", name]) == 2
    assert "cannot be the cloud's name" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_node_goes_above_the_examples() -> None:
    text = insert_node(starting_files("x")["cloud.yaml"], "n1", {"ssh": "h"})
    assert "nodes:\n  n1: {ssh: h}\n#  alpha:" in text
