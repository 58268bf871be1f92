"""What commands of this machine need: traced by a real strace, and run again with just that."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.lab_harness import ssh

from skerry.edge.run import PIPE, Command, Finished, run, start
from skerry.images.podman import try_inspect
from skerry.lab import Lab

NAME = f"skerry-test-{os.getpid()}-spec"
# A file capability as the kernel has it (linux/capability.h, VFS_CAP_REVISION_2): net_raw.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


class Workbench:
    """A folder in which `skerry image` is run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def skerry(self, *words: str, expect: int = 0) -> Finished:
        """`skerry image` in the folder, as a person runs it."""
        command = Command((sys.executable, "-m", "skerry", "image", *words), cwd=str(self.folder))
        finished = run(command, check=False)
        assert finished.status == expect, f"{finished.text}\n{finished.error_text}"
        return finished

    def trace(self, *words: str, expect: int = 0) -> list[str]:
        """The paths that a command needs."""
        self.skerry("trace", "--", *words, expect=expect)
        return self.paths()

    def paths(self) -> list[str]:
        """The paths in `spec`."""
        lines = (self.folder / "spec").read_text().splitlines()
        return [line for line in lines if not line.startswith("#")]

    def root(self, *presets: str) -> Path:
        """The root file system of `spec`."""
        target = self.folder / "root"
        run(Command.of("rm", "-rf", "--", target))
        words = [word for preset in presets for word in ("--preset", preset)]
        self.skerry("from-spec", "spec", "--root", "root", *words)
        return target

    def run_again(self, root: Path, *words: str, **env: str) -> str:
        """What a command prints in the root, alone with what lies there."""
        variables = [f"{name}={value}" for name, value in {"PATH": "/usr/bin:/bin", **env}.items()]
        return run(Command.of("chroot", root, "/usr/bin/env", "-i", *variables, *words)).text


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def test_perl_with_modules(bench: Workbench) -> None:
    words = ("perl", "-MPOSIX", "-MData::Dumper", "-e", "print POSIX::strftime('%Y', gmtime(0))")
    paths = bench.trace("env", *words)
    assert paths == sorted(paths)
    for needed in ("/usr/bin/perl", "libc.so.6", "/POSIX.so", "/POSIX.pm", "/Data/Dumper.pm"):
        assert any(path.endswith(needed) for path in paths), needed
    root = bench.root("none")
    assert bench.run_again(root, *words) == "1970"
    size = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file())
    assert size < 12e6, "more than what perl needs"
    # What was not needed is not there.
    assert not (root / "usr/bin/ls").exists()


def test_bash_with_programs_and_links(bench: Workbench) -> None:
    script = 'cd /etc; for f in os-release; do cat "$f"; done; readlink -f /bin/sh; type ls'
    before = run(Command.of("bash", "-c", script)).text
    bench.trace("env", "bash", "-c", script)
    root = bench.root()
    assert bench.run_again(root, "bash", "-c", script).replace("ls is hashed", "ls is") == before
    assert (root / "bin").is_symlink() == Path("/bin").is_symlink()
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    # Who a number is, is known though nobody asked.
    assert (root / "etc/passwd").exists()


def test_python_with_c_extensions(bench: Workbench) -> None:
    script = "import json, math, ssl, sqlite3; print(json.dumps(math.pi), sqlite3.sqlite_version)"
    words = ("/usr/bin/python3", "-I", "-c", script)
    before = run(Command.of(*words)).text
    bench.trace("env", *words)
    assert bench.run_again(bench.root(), *words) == before


def test_a_locale_a_time_zone_iconv_and_names(bench: Workbench) -> None:
    script = (
        "date -d @0 +%H:%M; printf '\\344' | iconv -f latin1 -t utf-8; echo; id -un 65534; "
        "getent hosts localhost"
    )
    env = {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}
    words = ("env", *(f"{name}={value}" for name, value in env.items()), "sh", "-c", script)
    before = run(Command.of(*words)).text
    assert before.startswith("09:00\n\xe4\nnobody\n")
    paths = bench.trace(*words)
    assert any(path.endswith("/zoneinfo/Asia/Tokyo") for path in paths)
    assert any("/gconv/" in path for path in paths)
    assert bench.run_again(bench.root(), "sh", "-c", script, **env) == before


def test_two_exercises_are_united(bench: Workbench) -> None:
    bench.trace("cat", "/etc/os-release")
    alone = bench.paths()
    assert "/usr/bin/head" not in alone
    bench.skerry("trace", "--add", "--", "head", "-c", "1", "/etc/passwd")
    assert {*alone, "/usr/bin/head", "/etc/passwd"} <= set(bench.paths())
    first = (bench.folder / "spec").read_text().splitlines()[0]
    assert first == '# command: ["cat", "/etc/os-release"]'


def test_what_the_command_makes_is_not_needed(bench: Workbench) -> None:
    (bench.folder / "old").write_text("there before")
    script = "echo x >new; mkdir inside; echo x >inside/a; echo y >>old; cat new old >both; rm new"
    paths = bench.trace("sh", "-c", script)
    assert [path for path in paths if path.startswith(f"{bench.folder}/")] == [
        str(bench.folder / "old")
    ]


def test_its_status_and_its_streams_are_the_commands(bench: Workbench) -> None:
    finished = bench.skerry("trace", "sh", "-c", "echo out; echo err >&2; exit 7", expect=7)
    assert finished.text == "out"
    first, last = finished.error_text.splitlines()
    assert first == "err" and last.endswith("paths; the command ended with 7")
    assert "/usr/bin/dash" in bench.paths() or "/bin/dash" in bench.paths()


def test_ctrl_c_ends_a_server_and_its_spec_is_written(bench: Workbench) -> None:
    words = (sys.executable, "-m", "skerry", "image", "trace", "sh", "-c", "echo up; exec sleep 60")
    server = start(Command(words, cwd=str(bench.folder)), stdout=PIPE, new_session=True)
    assert server.stdout is not None and server.stdout.readline() == b"up\n"
    os.killpg(server.pid, signal.SIGINT)
    assert server.wait(30) == 130
    # It is not known how far it was by then: the shell had been started.
    assert any(path.endswith("/libc.so.6") for path in bench.paths())


def test_owners_modes_capabilities_and_hard_links_stay(bench: Workbench) -> None:
    folder = bench.folder / "app"
    folder.mkdir()
    for name in ("setuid", "capable", "linked", "empty"):
        (folder / name).write_text(name)
    (folder / "setuid").chmod(0o4755)
    os.chown(folder / "capable", 123, 456)
    os.setxattr(folder / "capable", "security.capability", CAPABILITY)
    os.setxattr(folder / "linked", "user.note", b"\xff\0x")
    os.link(folder / "linked", folder / "too")
    (folder / "folder").mkdir(mode=0o1777)
    (folder / "folder").chmod(0o1777)
    (bench.folder / "spec").write_text(f"{folder}/**\n")
    found = bench.root("none") / str(folder).lstrip("/")
    assert (found / "setuid").stat().st_mode & 0o7777 == 0o4755
    capable = (found / "capable").stat()
    assert (capable.st_uid, capable.st_gid) == (123, 456)
    assert os.getxattr(found / "capable", "security.capability") == CAPABILITY
    assert os.getxattr(found / "linked", "user.note") == b"\xff\0x"
    assert (found / "linked").stat().st_ino == (found / "too").stat().st_ino
    assert (found / "folder").stat().st_mode & 0o7777 == 0o1777
    assert (found / "empty").stat().st_mtime == int((folder / "empty").stat().st_mtime)


@pytest.fixture
def image(bench: Workbench) -> Iterator[str]:
    """The name of an image, which goes afterwards."""
    yield NAME
    run(Command.of("podman", "image", "rm", "--ignore", "--force", f"localhost/{NAME}"))


def test_an_image_is_the_same_each_time(bench: Workbench, image: str) -> None:
    bench.trace("cat", "/etc/os-release")
    bench.skerry("from-spec", "spec", "--name", image)
    first = try_inspect(f"localhost/{image}")
    assert first is not None and first.size < 6e6
    bench.skerry("from-spec", "spec", "--name", image)
    assert try_inspect(f"localhost/{image}") == first
    saved = bench.folder / "saved.tar"
    run(Command.of("podman", "save", "--output", saved, f"localhost/{image}"))
    with tarfile.open(saved) as tar:
        configured = next(
            name for name in tar.getnames() if name.endswith(".json") and len(name) > 60
        )
        member = tar.extractfile(configured)
        assert member is not None
        assert json.load(member)["config"]["Cmd"] == ["cat", "/etc/os-release"]


def test_a_bundle_runs_under_crun_on_a_node(bench: Workbench, lab: Lab) -> None:
    words = ("perl", "-MPOSIX", "-e", "print POSIX::strftime('%Y', gmtime(0))")
    bench.trace(*words)
    bench.skerry("from-spec", "spec", "--bundle", "bundle")
    place = lab.node("alpha").disk / "root/bundle"
    run(Command.of("cp", "--archive", bench.folder / "bundle", place))
    try:
        # No Podman, and nothing of the node's own root.
        assert ssh(lab, "alpha", "crun run --bundle /root/bundle traced").text == "1970"
    finally:
        run(Command.of("rm", "-rf", "--", place))


def test_what_cannot_be_is_said(bench: Workbench) -> None:
    (bench.folder / "spec").write_text("/usr/bin/cat\n/gone/for/good\n/gone/too/**\n")
    words = ("from-spec", "spec", "--root", "root")
    said = bench.skerry(*words, expect=2).error_text
    assert "2 paths of the spec are not on this machine" in said
    assert "/gone/for/good" in said and "/gone/too/**" in said
    assert not (bench.folder / "root").exists()
    (bench.folder / "spec").write_text("/usr/bin/cat\n")
    (bench.folder / "root").mkdir()
    (bench.folder / "root/mine").touch()
    assert "root is there already" in bench.skerry(*words, expect=2).error_text
    said = bench.skerry("from-spec", "spec", "--bundle", "b", expect=2).error_text
    assert "the spec names no command" in said
    assert "one of --name NAME" in bench.skerry("from-spec", "spec", expect=2).error_text
    said = bench.skerry(*words, "--preset", "all", expect=2).error_text
    assert "presets: certs, gconv, locale, names, users, zones, none" in said
    said = bench.skerry("trace", "/no/such/program", expect=2).error_text
    assert "'/no/such/program' is not installed" in said
