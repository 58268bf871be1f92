"""The documents: generated pages are up to date, links lead somewhere, errors are all told."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tools.docs.errors_page import error_kinds, read_node_faults
from tools.make_docs import NOTE, PAGES, find_stale

from tests.unit.sources import ROOT, python_files

DOCS = ROOT / "docs"
WRITTEN = [*sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == NOTE + PAGES[name](), "run `make docs`"


def test_a_stale_page_is_seen(tmp_path: Path) -> None:
    for name, render in PAGES.items():
        (tmp_path / name).write_text(NOTE + render())
    assert find_stale(tmp_path) == []
    text = (tmp_path / "errors.md").read_text()
    (tmp_path / "errors.md").write_text(text.replace("node-failed", "node-fails"))
    (tmp_path / "diff-json.md").unlink()
    assert set(find_stale(tmp_path)) == {"errors.md", "diff-json.md"}


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_anchors_are_there(path: Path) -> None:
    text = path.read_text()
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", text):
        assert anchor in headings, f"{path.name}: #{anchor}"


def test_pages_that_the_code_names_exist() -> None:
    for path in python_files("src"):
        for name in re.findall(r"docs/([a-z-]+\.md)", path.read_text()):
            assert (DOCS / name).exists(), f"{path.name} names docs/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/containers/systemd",
        "/etc/skerry/config",
        "/etc/ssh/sshd_config.d/00-skerry.conf",
        "/etc/sudoers.d/skerry",
        "/etc/systemd/journald.conf.d/50-skerry.conf",
        "/home/skerry",
        "/run/skerry",
        "/var/lib/skerry/volumes",
        "bootstrap.json",
        "containers:2147483647:2147483648",
        "generation.json",
        "images.json",
        "manifest.json",
        "NOPASSWD: ALL",
        "skerry-activate-",
    ],
)
def test_what_a_node_is_said_to_have_is_in_the_code(name: str) -> None:
    assert name in (DOCS / "on-a-node.md").read_text()
    assert any(name in path.read_text() for path in python_files("src")), "the page is out of date"


def test_every_error_is_told_once() -> None:
    page = (DOCS / "errors.md").read_text()
    ids = [kind.id for kind in error_kinds()]
    assert len(ids) == len(set(ids)), "two classes share an id"
    for name in [*ids, *read_node_faults()]:
        assert f"| `{name}` |" in page


def test_error_classes_of_all_modules_are_found() -> None:
    names = {kind.__name__ for kind in error_kinds()} | {"SkerryError"}
    for path in python_files("src/skerry"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                if bases & names:
                    assert node.name in names, f"{path.name}: {node.name} is not in errors.py"


def test_every_command_is_told() -> None:
    page = (DOCS / "commands.md").read_text()
    from skerry.cli.main import COMMANDS

    for name in COMMANDS:
        assert f"\n## skerry {name}\n" in page


def test_hand_written_pages_fit_a_screen() -> None:
    for path in WRITTEN:
        if path.name in PAGES:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            is_table = line.startswith("|")
            assert is_table or len(line) <= 102, f"{path.name}:{number}: {len(line)} columns"
