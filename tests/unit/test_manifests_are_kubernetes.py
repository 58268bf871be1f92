"""Every manifest of examples and tests is one that Kubernetes itself takes.

So the files stay usable with kubectl. Found are the files below ``pods/`` of examples and golden
cases, and the texts in ``tests/live`` that have `apiVersion` and `kind`; what a test fills in
there (``{name}`` of a format, the values of an f-string) may be anything. The harnesses of the
live tests look at the final text once more (`tests/kubernetes_schema.py`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from skerry.cli.init import starting_files
from tests.kubernetes_schema import FILLED_IN, text_faults
from tests.unit.sources import ROOT

# Manifests that are meant to be wrong, and why.
WRONG = {
    "tests/golden/cases/problems/cloud/pods": "a case of what is refused",
}


def manifest_files() -> list[Path]:
    """The manifests of all cloud folders in the repository."""
    folders = [*ROOT.glob("examples/*/pods"), *ROOT.glob("tests/golden/cases/*/cloud/pods")]
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*.y*ml")
        if str(folder.relative_to(ROOT)) not in WRONG
    )


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """The manifests that a test's source has as text, by line."""
    tree = ast.parse(path.read_text())
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else FILLED_IN
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = re.sub(r"(?<!\{)\{\w+\}(?!\})", FILLED_IN, node.value)
            text = text.replace("{{", "{").replace("}}", "}") if FILLED_IN in text else text
        else:
            continue
        if text.rstrip().endswith(":"):
            # The beginning of a text that goes on elsewhere.
            text += f"        {FILLED_IN}\n"
        if re.search(r"^\s*apiVersion:", text, re.MULTILINE) and "kind:" in text:
            yield node.lineno, text


LIVE_TEXTS = [
    pytest.param(text, id=f"{path.relative_to(ROOT)}:{line}")
    for path in sorted((ROOT / "tests/live").glob("*.py"))
    for line, text in texts_of(path)
]


@pytest.mark.parametrize("path", manifest_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_taken_by_kubernetes(path: Path) -> None:
    assert text_faults(path.read_text()) == [], (
        "kubectl would refuse it: mend it, or list it in WRONG"
    )


@pytest.mark.parametrize("text", LIVE_TEXTS)
def test_text_of_a_live_test_is_taken_by_kubernetes(text: str) -> None:
    assert text_faults(text) == [], "kubectl would refuse this text of a live test"


def test_what_init_writes_is_taken_by_kubernetes() -> None:
    files = starting_files("home", lab="demo")
    for path, text in files.items():
        if path.startswith("pods/"):
            assert text_faults(text) == []


def test_manifests_are_found() -> None:
    assert len(manifest_files()) >= 6
    assert len(LIVE_TEXTS) >= 6
    assert all((ROOT / path).exists() for path in WRONG)


def test_a_wrong_manifest_is_seen() -> None:
    wrong = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{nam: x}]}\n"
    assert any("spec.containers.0" in fault for fault in text_faults(wrong))
    assert text_faults("apiVersion: v1\nkind: Deployment") == [
        "Kubernetes has no kind Deployment in v1"
    ]
    [fault] = text_faults(
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, spc: {}}]"
    )
    assert "spc" in fault
    filled = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {FILLED_IN}\n"
    assert text_faults(filled) == []


def test_texts_are_found_in_sources(tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_text(
        'A = "apiVersion: v1\\nkind: {kind}\\nx: {{a: 1}}"\n'
        'B = f"apiVersion: v1\\nkind: {kind}\\nx: {{a: 1}}"\nC = "kind: Pod"\n'
    )
    expected = f"apiVersion: v1\nkind: {FILLED_IN}\nx: {{a: 1}}"
    assert list(texts_of(path)) == [(1, expected), (2, expected)]
