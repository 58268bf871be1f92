"""What Skerry is made with is pinned by digest, and what is made of it is the same everywhere."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.sources import ROOT

FOLDER = ROOT / "requirements"
FILES = sorted(FOLDER.glob("*.txt"))
# What a virtual environment has of its own.
OF_THE_VENV = {"pip", "setuptools", "wheel", "skerry"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?P<rest>.*)", re.DOTALL)
_DIGEST = re.compile(r"--hash=sha256:[0-9a-f]{64}(?= |$)")


def entries(path: Path) -> list[str]:
    """The requirements of a file, each on one line."""
    text = path.read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def versions(name: str) -> dict[str, set[str]]:
    """The versions that a file pins, by package; several where Python versions differ."""
    found: dict[str, set[str]] = {}
    for entry in entries(FOLDER / f"{name}.txt"):
        match = _PINNED.match(entry)
        assert match, entry
        found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.claims("packages-pinned")
def test_every_package_is_one_version_with_digests(path: Path) -> None:
    assert entries(path)
    for entry in entries(path):
        match = _PINNED.match(entry)
        assert match, f"{entry}: not pinned with =="
        words = match["rest"].split("--hash", 1)
        digests = _DIGEST.findall(entry)
        assert digests and len(digests) == entry.count("--hash"), entry
        assert "--" not in words[0], f"{entry}: an option that is no digest"
        assert "://" not in entry, f"{entry}: not by name"


@pytest.mark.parametrize(
    ("name", "extras"),
    [("runtime", ()), ("dev", ("dev",)), ("bench", ("dev", "bench"))],
)
def test_what_the_project_asks_for_is_pinned(name: str, extras: tuple[str, ...]) -> None:
    optional = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *(word for extra in extras for word in optional[extra])]
    if extras:
        wanted += list(entries(FOLDER / "build.in"))
    pinned = versions(name)
    for requirement in map(Requirement, wanted):
        found = pinned.get(canonicalize_name(requirement.name))
        assert found, f"{requirement} is not in requirements/{name}.txt: run `make lock`"
        assert all(one in requirement.specifier for one in found), f"{requirement}: `make lock`"


def test_one_package_is_the_same_for_users_tests_and_benchmarks() -> None:
    runtime, dev, bench = (versions(name) for name in ("runtime", "dev", "bench"))
    assert {name: dev[name] for name in runtime} == runtime
    assert {name: bench[name] for name in dev} == dev


@pytest.mark.claims("packages-pinned")
def test_these_tests_run_with_what_is_pinned() -> None:
    pinned = versions("bench")
    for distribution in importlib.metadata.distributions():
        name = canonicalize_name(distribution.metadata["Name"])
        if name not in OF_THE_VENV:
            assert distribution.version in pinned.get(name, ()), f"{name} {distribution.version}"


@pytest.mark.claims("packages-pinned")
@pytest.mark.parametrize("is_changed", [False, True], ids=["as pinned", "changed"])
def test_a_file_that_was_changed_is_not_installed(tmp_path: Path, *, is_changed: bool) -> None:
    wheel = tmp_path / "planted-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        facts = "planted-1.0.dist-info"
        archive.writestr(
            f"{facts}/METADATA", "Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n"
        )
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{facts}/WHEEL", tags)
        archive.writestr(f"{facts}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pinned = digest if not is_changed else digest[::-1]
    (tmp_path / "pins.txt").write_text(f"planted==1.0 --hash=sha256:{pinned}\n")
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").symlink_to(sys.executable)
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_DRY_RUN": "1"}
    finished = subprocess.run(
        ("sh", str(ROOT / "tools/make-venv"), "venv", "pins.txt"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": "/dev/null", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    # What is as pinned gets past that step, and fails where there is no project to link.
    assert finished.returncode == 1
    wanted = "DO NOT MATCH THE HASHES" if is_changed else "does not appear to be a Python project"
    assert wanted in finished.stderr, finished.stderr


def sources(target: Path, *, umask: int, when: int) -> Path:
    """A copy of the project as another machine has it: another umask, other times and order."""
    listed = subprocess.run(
        ("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = sorted(filter(None, listed.stdout.split("\0")), reverse=when % 2 == 1)
    before = os.umask(umask)
    try:
        for name in names:
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((ROOT / name).read_bytes())
            if (ROOT / name).stat().st_mode & 0o100:
                path.chmod(0o777 & ~umask)
            os.utime(path, (when, when))
    finally:
        os.umask(before)
    return target


def run_python(folder: Path, seed: int, *words: str, **variables: str) -> bytes:
    """What this Python prints for these words, in a folder and with a hash seed of its own."""
    environment = {name: text for name, text in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return subprocess.run(
        (sys.executable, *words),
        cwd=folder,
        env={**environment, "PYTHONHASHSEED": str(seed), **variables},
        capture_output=True,
        check=True,
    ).stdout


@pytest.fixture
def two_machines(tmp_path: Path) -> tuple[Path, Path]:
    """The project twice, as two machines could have it."""
    return (
        sources(tmp_path / "one", umask=0o077, when=1_000_000_001),
        sources(tmp_path / "another-place", umask=0o002, when=1_700_000_000),
    )


@pytest.mark.claims("builds-reproducible")
def test_wheel_and_sdist_are_the_same_on_every_machine(two_machines: tuple[Path, Path]) -> None:
    built = []
    for seed, folder in enumerate(two_machines):
        run_python(folder, seed, "-m", "hatchling", "build", "-d", "dist")
        built.append({path.name: path.read_bytes() for path in (folder / "dist").iterdir()})
    assert len(built[0]) == 2
    assert built[0] == built[1]
    wheel = next(name for name in built[0] if name.endswith(".whl"))
    with zipfile.ZipFile(two_machines[0] / "dist" / wheel) as archive:
        names = archive.namelist()
    assert "skerry_node/__main__.py" in names
    assert not [name for name in names if name.startswith("tests")]


@pytest.mark.claims("builds-reproducible")
def test_the_node_program_is_the_same_on_every_machine(two_machines: tuple[Path, Path]) -> None:
    words = "import sys; from skerry.edge import program as p; sys.stdout.buffer.write(p.build())"
    found = [
        run_python(folder, seed, "-c", words, PYTHONPATH=str(folder / "src"))
        for seed, folder in enumerate(two_machines)
    ]
    assert found[0] == found[1]
    changed = two_machines[0] / "src/skerry_node/lock.py"
    changed.write_text(changed.read_text() + "\nANOTHER = 1\n")
    shutil.rmtree(changed.parent / "__pycache__", ignore_errors=True)
    again = run_python(two_machines[0], 0, "-c", words, PYTHONPATH=str(two_machines[0] / "src"))
    assert again != found[0], "the test looks at another program than the copy's"
