"""Who may import what: the contracts in pyproject.toml, and rules that import-linter cannot say."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.sources import HEAVY, ROOT, SOURCE, imported_modules, python_files, shown

EDGE = SOURCE / "skerry/edge"
RUN = EDGE / "run.py"
# Starts ssh before `run` could be loaded, and nothing else.
EARLY = EDGE / "early.py"
# What edge modules other than run.py may take from subprocess: constants and types, no start.
SUBPROCESS_NAMES = {"PIPE", "DEVNULL", "STDOUT", "Popen", "TimeoutExpired"}
STARTERS = ("exec", "spawn", "posix_spawn", "fork", "popen", "system")
NETWORK_CLIENTS = {"ftplib", "http.client", "paramiko", "smtplib", "ssl", "urllib.request"}
# Behind try: the C module that hashlib itself takes from Python 3.12 on; quicker to import.
NODE_EXTRAS = {"_sha2"}
DOUBLES = {"unittest", "pytest", "hypothesis"}
# New in Python 3.10 or later, which a node may not have (the syntax is tested by the parser).
NEW_MODULES = {"tomllib", "compression", "annotationlib"}
NEW_NAMES = {
    "aiter", "anext", "batched", "bit_count", "dataclass_transform", "ExceptionGroup",
    "file_digest", "pairwise", "StrEnum", "TaskGroup", "UTC", "get_annotations",
}  # fmt: skip
NEW_KEYWORDS = {("zip", "strict"), ("dataclass", "slots"), ("dataclass", "kw_only")}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs import-linter with the contracts of pyproject.toml over the packages in `folder`."""
    words = ("-m", "importlinter.cli", "lint", "--no-cache", "--no-logo")
    code = "import sys; from importlinter.cli import lint_imports_command as c; c(sys.argv[1:])"
    return subprocess.run(
        (sys.executable, "-P", "-c", code, *words[3:], "--config", str(ROOT / "pyproject.toml")),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_hold() -> None:
    finished = lint_imports(SOURCE)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "0 broken" in finished.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("skerry/model/pod.py", "import skerry.load", "the model knows nothing but errors"),
        ("skerry/plan/steps.py", "import skerry.edge.run", "plan is pure"),
        ("skerry/compile/tree.py", "import skerry.plan.plan", "compile is pure"),
        ("skerry/edge/run.py", "import yaml", "load is the only user of the YAML library"),
        ("skerry/push/node.py", "import skerry.observe.node", "do not know each other"),
        ("skerry/load/cloud.py", "import skerry.cli.main", "nobody imports it"),
        ("skerry/cache/glance.py", "import msgspec", "before anything of Skerry is loaded"),
        ("skerry/plan/plan.py", "import skerry.render.text", "only the command line"),
        ("skerry_node/wire.py", "import skerry.errors", "imports nothing of skerry"),
    ],
)
def test_contracts_can_break(tmp_path: Path, module: str, line: str, contract: str) -> None:
    for package in ("skerry", "skerry_node"):
        shutil.copytree(SOURCE / package, tmp_path / package)
    planted = tmp_path / module
    text = planted.read_text()
    planted.write_text(f"{text}\n\n{line}\n")
    finished = lint_imports(tmp_path)
    assert finished.returncode != 0
    assert any(
        contract in words and words.endswith("BROKEN") for words in finished.stdout.splitlines()
    ), finished.stdout


def subprocess_breaches(path: Path, tree: ast.AST) -> Iterator[str]:
    """Where a module starts processes or talks to the network without going through the edge."""
    is_edge = EDGE in path.parents
    for module, names, line in imported_modules(tree):
        top = module.partition(".")[0]
        if top == "subprocess" and not is_edge:
            yield f"{shown(path)}:{line}: subprocess is for skerry.edge.run alone"
        if module in NETWORK_CLIENTS and not is_edge:
            yield f"{shown(path)}:{line}: {module} is a network client"
        if module == "subprocess" and names and path != RUN and not set(names) <= SUBPROCESS_NAMES:
            yield f"{shown(path)}:{line}: only constants and types of subprocess"
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        if node.value.id == "subprocess" and node.attr not in SUBPROCESS_NAMES:
            yield f"{shown(path)}:{node.lineno}: subprocess.{node.attr} is for skerry.edge.run"
        if node.value.id == "os" and node.attr.startswith(STARTERS):
            yield f"{shown(path)}:{node.lineno}: os.{node.attr} is for skerry.edge.run"


def test_only_the_edge_starts_processes() -> None:
    breaches = [
        breach
        for path in python_files("src/skerry")
        if path not in (RUN, EARLY)
        for breach in subprocess_breaches(path, ast.parse(path.read_text()))
    ]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "from subprocess import run",
        "import os\nos.system('x')",
        "import os\nos.posix_spawn('x', [], {})",
        "import urllib.request",
    ],
)
def test_a_start_elsewhere_is_seen(source: str) -> None:
    assert list(subprocess_breaches(SOURCE / "skerry/plan/plan.py", ast.parse(source)))


def test_a_popen_in_the_edge_is_seen() -> None:
    call = "import subprocess\nsubprocess.Popen(['x'])"
    # As a type it is fine, so the call itself is what must not be there.
    tree = ast.parse(call)
    assert popen_calls(tree)
    for path in python_files("src/skerry"):
        if path != RUN:
            assert not popen_calls(ast.parse(path.read_text())), shown(path)


def popen_calls(tree: ast.AST) -> list[int]:
    """The lines on which subprocess.Popen is called."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "Popen"
    ]


def node_breaches(path: Path, source: str) -> Iterator[str]:
    """What a node's Python 3.9, with its standard library alone, could not run."""
    try:
        tree = ast.parse(source, feature_version=(3, 9))
    except SyntaxError as error:
        yield f"{shown(path)}:{error.lineno}: {error.msg}"
        return
    for module, names, line in imported_modules(tree):
        top = module.partition(".")[0]
        if top not in {"skerry_node", *NODE_EXTRAS, *sys.stdlib_module_names}:
            yield f"{shown(path)}:{line}: {module} is not of the standard library"
        if top in NEW_MODULES or set(names) & NEW_NAMES:
            yield f"{shown(path)}:{line}: newer than Python 3.9"
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in NEW_NAMES:
                yield f"{shown(path)}:{node.lineno}: {name} is newer than Python 3.9"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            for keyword in node.keywords:
                if (called, keyword.arg) in NEW_KEYWORDS:
                    yield f"{shown(path)}:{node.lineno}: {called}({keyword.arg}=) is too new"


def test_the_node_program_needs_only_python_3_9() -> None:
    paths = python_files("src/skerry_node")
    assert paths
    breaches = [breach for path in paths for breach in node_breaches(path, path.read_text())]
    assert not breaches, "\n".join(breaches)


@pytest.mark.parametrize(
    "source",
    [
        "import msgspec",
        "match 1:\n    case 1: pass",
        "import tomllib",
        "from itertools import pairwise",
        "zip([], [], strict=True)",
        "try: pass\nexcept* OSError: pass",
    ],
)
def test_what_a_node_could_not_run_is_seen(source: str) -> None:
    assert list(node_breaches(SOURCE / "skerry_node/wire.py", source))


@pytest.mark.skipif(shutil.which("python3.9") is None, reason="no python3.9 on this machine")
def test_python_3_9_imports_the_node_program() -> None:
    names = [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for path in python_files("src/skerry_node")
        if path.name != "__init__.py"
    ]
    code = f"from importlib import import_module\nfor name in {names!r}: import_module(name)"
    finished = subprocess.run(
        ("python3.9", "-S", "-B", "-c", code),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "PYENV_VERSION": "3.9.18"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "command not found" in finished.stderr or "not installed" in finished.stderr:
        pytest.skip("python3.9 is a name without an interpreter")
    assert finished.returncode == 0, finished.stderr


def test_only_wire_is_shared_with_the_node() -> None:
    program = EDGE / "program.py"
    for path in python_files("src/skerry"):
        for module, names, line in imported_modules(ast.parse(path.read_text())):
            if module.partition(".")[0] != "skerry_node":
                continue
            is_wire = module == "skerry_node.wire" or (
                module == "skerry_node" and names == ["wire"]
            )
            assert is_wire or path == program, f"{shown(path)}:{line}: {module} {names}"


def test_no_module_imports_a_test_double() -> None:
    for path in python_files("src"):
        for module, _, line in imported_modules(ast.parse(path.read_text())):
            top = module.partition(".")[0]
            assert top not in DOUBLES | {"tests"}, f"{shown(path)}:{line}: {module}"


def test_live_tests_wait_for_conditions() -> None:
    for path in python_files("tests/live"):
        assert "sleep(" not in path.read_text(), f"{shown(path)} waits for a fixed time"


@pytest.mark.parametrize("path", python_files("src/skerry/cli"), ids=lambda path: path.stem)
def test_a_command_imports_nothing_heavy_before_it_is_called(path: Path) -> None:
    module = f"skerry.cli.{path.stem}" if path.stem != "__init__" else "skerry.cli"
    code = f"import sys, {module}; print([n for n in {HEAVY!r} if n in sys.modules])"
    finished = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"
