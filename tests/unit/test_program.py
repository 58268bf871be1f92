"""The node program as an archive, and the shell commands that run and install it."""

from __future__ import annotations

import bz2
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from skerry.edge import program
from skerry_node import wire
from skerry_node.install import KEPT, remove_old
from tests.unit.sources import SOURCE

# In bytes. What is needed by few commands can be sent apart when this is reached.
SIZE_LIMIT = 40_000
PING = wire.dump({"protocol": 1, "op": "ping", "args": {}, "streams": []}) + b"\n"
SHELLS = [name for name in ("sh", "bash", "dash", "busybox", "fish", "tcsh") if shutil.which(name)]


def here(command: str, folder: Path) -> str:
    """The command with the state folder of a test, and the Python that the tests run on."""
    found = command.replace(wire.STATE_FOLDER, str(folder))
    return found.replace("/usr/bin/python3 ", f"{sys.executable} ", 1)


def run(command: str, content: bytes, shell: str = "sh") -> subprocess.CompletedProcess[bytes]:
    """Runs a command as a login shell does for sshd."""
    words = (shell, "sh", "-c") if shell == "busybox" else (shell, "-c")
    return subprocess.run((*words, command), input=content, capture_output=True, check=False)


def install(folder: Path, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Installs the program below a folder."""
    command = here(program.install_command(program.digest()), folder)
    return run(command, program.build() if content is None else content)


def names_in(content: bytes) -> list[str]:
    """The files of a packed archive, in their order."""
    with zipfile.ZipFile(io.BytesIO(bz2.decompress(content))) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        return archive.namelist()


def test_program_is_small() -> None:
    # Sent once per node and version, maybe over a slow line.
    assert len(program.build()) < SIZE_LIMIT
    names = names_in(program.build())
    assert names == sorted(names)
    assert "skerry_node/__main__.py" in names
    assert "skerry_node/wire.py" not in names


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_same_sources_give_the_same_bytes(tmp_path: Path, seed: str) -> None:
    # Copies of another age, made in another order, under another hash seed.
    for package in ("skerry_node", "skerry"):
        sources = sorted((SOURCE / package).rglob("*.py"), reverse=seed != "0")
        for age, path in enumerate(sources):
            copy = tmp_path / path.relative_to(SOURCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            os.utime(copy, (age * 1000, age * 1000))
    words = "import sys; from skerry.edge import program; sys.stdout.buffer.write(program.build())"
    built = subprocess.run(
        (sys.executable, "-B", "-c", words),
        env={"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": seed, "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    assert built.stdout == program.build()


def test_version_is_of_the_sources_and_of_what_is_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version() -> str:
        program.digest.cache_clear()
        return program.digest()

    before = version()
    changed = tmp_path / "condense.py"
    changed.write_text("another")
    monkeypatch.setattr(program, "_CONDENSER", changed)
    assert version() != before
    monkeypatch.undo()
    assert version() == before


@pytest.mark.parametrize("shell", SHELLS)
def test_missing_then_installed_then_run(tmp_path: Path, shell: str) -> None:
    command = here(program.remote_command(program.digest()), tmp_path)
    assert run(command, PING, shell).returncode == wire.PROGRAM_MISSING
    finished = install(tmp_path)
    assert finished.returncode == 0, finished.stderr
    answered = run(command, PING, shell)
    assert answered.stderr == b""
    assert json.loads(answered.stdout)["event"] == "result"
    # A node that has no manifest of that digest reads the request.
    known = here(f"{program.remote_command(program.digest())} {'0' * 64}", tmp_path)
    assert json.loads(run(known, PING, shell).stdout)["event"] == "result"
    folder = tmp_path / "program" / program.digest()
    assert list(folder.glob("skerry_node/__pycache__/observe.*.pyc"))
    assert stat.S_IMODE((folder / "skerry_node/units.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((folder / "skerry_node").stat().st_mode) == 0o755
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "program").iterdir()] == [program.digest()]
    # Twice is fine.
    assert install(tmp_path).returncode == 0


@pytest.mark.parametrize(
    "name", ["__main__.py", "facts.py", "facts.pyc", "observe.py", "observe.pyc", "wholly"]
)
@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"raise KeyError(1)", None])
def test_program_whose_files_are_damaged_is_as_good_as_missing(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    """The operator installs it again then."""
    assert install(tmp_path).returncode == 0
    folder = tmp_path / "program" / program.digest()
    paths = list((folder / "skerry_node").rglob(name.replace(".pyc", ".*.pyc")))
    for path in [folder] if name == "wholly" else paths:
        is_source = path.suffix == ".py"
        if path.is_dir():
            shutil.rmtree(path)
            path.write_bytes(content or b"")
        elif content is None:
            path.unlink()
        else:
            # Python looks at the head of a compiled module alone before it believes the rest.
            head = b"" if is_source else path.read_bytes()[:16]
            path.write_bytes(head + content)
        if is_source:
            shutil.rmtree(folder / "skerry_node/__pycache__")
    # What is known is looked for before a request is read, and by another module.
    known = f" {'0' * 64}" if name.startswith("observe") else ""
    ping = here(f"{program.remote_command(program.digest())}{known}", tmp_path)
    answered = run(ping, PING)
    is_fine = name not in ("__main__.py", "wholly") and answered.returncode == 0
    if not is_fine:
        assert (answered.returncode, answered.stdout, answered.stderr) == (
            wire.PROGRAM_MISSING,
            b"",
            b"",
        )
        assert install(tmp_path).returncode == 0
    assert json.loads(run(ping, PING).stdout)["event"] == "result"
    assert [path.name for path in (tmp_path / "program").iterdir()] == [program.digest()]


def test_disk_that_is_full_is_said_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("a file in the way")
    finished = install(tmp_path)
    assert finished.returncode == 1
    assert b"File exists" in finished.stderr
    assert b"Traceback" not in finished.stderr


@pytest.mark.claims("program-checked")
def test_damaged_program_is_not_installed(tmp_path: Path) -> None:
    whole = bz2.decompress(program.build())
    for damaged in (whole + b"#", whole.replace(b"/var/lib", b"/var/bil")):
        finished = install(tmp_path, bz2.compress(damaged))
        assert finished.returncode == 1
        assert b"arrived damaged" in finished.stderr
    assert install(tmp_path, program.build()[:1000]).returncode == 1
    assert list((tmp_path / "program").iterdir()) == []


def test_node_that_cannot_unpack_the_program_says_so(tmp_path: Path) -> None:
    command = here(program.install_command(program.digest()), tmp_path)
    finished = run(command.replace('"_bz2"', '"_bz3"'), program.build())
    assert finished.returncode == wire.UNPACKER_MISSING
    assert list(tmp_path.iterdir()) == []


def test_traceback_of_a_node_is_that_of_the_sources(tmp_path: Path) -> None:
    assert install(tmp_path).returncode == 0
    command = here(program.remote_command(program.digest()), tmp_path)
    asked = wire.dump({"protocol": 1, "op": "renew", "args": {}, "streams": []}) + b"\n"
    answer = json.loads(run(command, asked).stdout)
    assert answer["id"] == "bug"
    frames = re.findall(r'/skerry_node/(\w+\.py)", line (\d+), in (\w+)\n +(.+)', answer["detail"])
    assert frames[-1][2] == "run_renew"
    for file, line, _, text in frames:
        assert (SOURCE / "skerry_node" / file).read_text().splitlines()[
            int(line) - 1
        ].strip() == text


def test_old_versions_go_but_the_last_stays(tmp_path: Path) -> None:
    for age, name in enumerate(["new", "old", "older", "oldest"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / ".left.zip").write_bytes(b"")
    (tmp_path / ".new-17").mkdir()
    remove_old(str(tmp_path), "new")
    assert KEPT == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_node_without_python(tmp_path: Path) -> None:
    command = here(program.remote_command("x"), tmp_path)
    for name in ("/usr/local/bin/python3", "/usr/bin/python3"):
        command = command.replace(name, "/nowhere/python3")
    command = command.replace(sys.executable, "/nowhere/python3")
    assert run(command, b"").returncode == wire.PYTHON_MISSING


def test_python_too_old_becomes_a_newer_one_if_there_is_one(tmp_path: Path) -> None:
    command = here(program.remote_command("x"), tmp_path)
    # To a Python that needs at least 3.99, this one is too old, and so are all others.
    old = command.replace("(3,9)", "(3,99)")
    none = old.replace('"/usr/bin/python3.', '"/nowhere/python3.')
    assert run(none, b"").returncode == wire.PYTHON_TOO_OLD
    newer = tmp_path / "newer"
    newer.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    newer.chmod(0o755)
    replaced = none.replace('"/nowhere/python3.13"', f'"{newer}"')
    finished = run(replaced, b"")
    words = finished.stdout.decode().splitlines()
    assert words[:3] == ["-I", "-S", "-c"]
    assert words[-1] == f"{tmp_path}/program/x"


def test_without_root_it_goes_through_sudo() -> None:
    command = program.remote_command("x")
    assert 'test -O / || s="sudo -n"' in command
    assert "\n" not in command
    # What sudo logs names the program, in one record (it breaks them at 960 bytes).
    assert len(command) < 900
