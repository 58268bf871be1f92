"""An `ssh` that is a script of the test's: what a broken or hostile node can say, at the edge.

It takes the place of the program, by PATH, and of nothing of ours: all that is tested of Skerry
runs as it always does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skerry.edge.ssh import Link

HEAD = """\
import os, sys, time
def say(text):
    os.write(1, text if isinstance(text, bytes) else text.encode())
def all_out(descriptor, chunk, count):
    for _ in range(count):
        rest = chunk
        while rest:
            rest = rest[os.write(descriptor, rest):]
"""


class FakeSsh:
    """The script, and the link of a node that is reached through it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pids = folder / "pids"
        self.link = Link(
            node="alpha", target="skerry@host", known_hosts=str(folder / "known_hosts")
        )

    def says(self, source: str) -> None:
        """What the script does when it is run: Python, with `say(text)` for its output."""
        note = f"open({str(self.pids)!r}, 'a').write('%d\\n' % os.getpid())\n"
        path = self.folder / "bin/ssh"
        path.write_text(f"#!{sys.executable} -IS\n{HEAD}{note}{source}\n")
        path.chmod(0o700)

    def answers(self, *lines: bytes) -> None:
        """Has it print these lines and end."""
        self.says("\n".join(f"say({line + bytes([10])!r})" for line in lines))

    def running(self) -> list[int]:
        """The processes of the script that have not ended."""
        pids = [int(line) for line in self.pids.read_text().split()] if self.pids.exists() else []
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSsh:
    """An `ssh` first in PATH that a test fills, and sockets in a folder of the test's own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return FakeSsh(tmp_path)
