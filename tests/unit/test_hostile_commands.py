"""Every command beside a node that lies: its status, no traceback, nothing a terminal obeys.

`ssh` is a script of the test's, put in by PATH; all else is as it always is. What a real node
whose program lies does to an apply of others is a live test (`tests/live/test_liar.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from skerry.cli.main import run_command_line
from skerry.errors import ExitCode
from skerry.render.text import visible
from tests.fuzz import answers, damage, hostile
from tests.fuzz.test_files import PROBE
from tests.unit.fake_ssh import FakeSsh, fake_ssh

__all__ = ["fake_ssh"]

CLOUD = """\
name: home
nodes: {alpha: {ssh: skerry@host}}
run: {blog: {pod: pods/blog.yaml}}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: blog}
spec: {containers: [{name: web, image: localhost/blog}]}
"""
LOCK = {"images": {"localhost/blog": {"id": "a" * 64, "size": 5}}}
EVIL = "\x1b[2J\x1b]0;x\x07\nerror: beta: forged  [node-unreachable]\n\u202e\x9b\r\x00"
FORGED = "error: beta"
# What a command writes in the folder that a node has no part in, or (cloud.lock) a checked one.
OURS = {"cloud.lock", ".skerry/.gitignore", ".skerry/CACHEDIR.TAG", ".skerry/turns"}
COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status", "-o", "all"),
    "status --json": ("status", "--json"),
    "plan": ("-v", "plan"),
    "plan --json": ("plan", "--json"),
    "apply": ("apply", "--yes"),
    "apply --json": ("apply", "--yes", "--json"),
    "diff": ("diff",),
    "diff --activated": ("diff", "--activated"),
    "diff --json": ("diff", "--json"),
    "logs": ("logs",),
    "logs --json": ("logs", "--json"),
    "exec": ("exec", "blog", "--", "id"),
    "history": ("-v", "history", "-o", "all"),
    "history --json": ("history", "--json"),
    "rollback": ("rollback", "--yes"),
    "rollback 2": ("rollback", "2", "--yes"),
    "prune": ("prune", "--yes"),
    "node ls": ("node", "ls", "-o", "all"),
    "node ls --json": ("node", "ls", "--json"),
    "node facts": ("node", "facts", "alpha"),
    "node facts --json": ("node", "facts", "alpha", "--json"),
    "node rm": ("node", "rm", "alpha"),
    "node reset": ("node", "reset", "alpha", "--yes"),
    "node add": ("node", "add", "alpha", "--public-key", "KEY"),
}
# What they end with where the node only says ugly things.
GOOD = {
    "status": 0,
    "history": 0,
    "node ls": 0,
    "node facts": 0,
    "logs": 0,
    "prune": 0,
    "plan": 0,
    "diff": 4,
    "exec": 7,
}
ERROR = {"event": "error", "id": EVIL, "message": EVIL, "hint": EVIL, "detail": EVIL}


# What a command goes on with only where it is as it should be.
KEPT = {"address", "architecture", "active", "load", "state", "digest", "image_id", "workload"}


def evil(value: Any, kept: set[str] = KEPT) -> Any:
    """The value with a hostile text behind every text of it, but for what is kept."""
    if isinstance(value, dict):
        return {key: it if key in kept else evil(it, kept) for key, it in value.items()}
    if isinstance(value, list):
        return [evil(inner, kept) for inner in value]
    return value + EVIL if isinstance(value, str) else value


def line(value: Any) -> bytes:
    return answers.line(value, is_ascii=True) + b"\n"


def by_op(change: Any) -> dict[str, bytes]:
    """The answer to each op, changed."""
    found = {
        op: line({"event": "result", "result": change(it)}) for op, it in answers.RESULTS.items()
    }
    for op in ("push", "unlock", "renew", "recover", "confirm", "rejoin", "lock"):
        found.setdefault(op, line({"event": "result", "result": change({"notes": ["x"]})}))
    notes = [{"event": "note", "message": EVIL}, {"event": "waiting", "units": [EVIL]}]
    return {op: b"".join(map(line, notes)) + it for op, it in found.items()}


def unlocked(result: Any) -> Any:
    """A node on which nobody is at work and nothing was interrupted."""
    if "unfinished" in result:
        result = {**result, "lock": None, "unfinished": None}
    return result


LIES: dict[str, dict[str, bytes]] = {
    "honest": by_op(unlocked),
    "evil texts": by_op(lambda result: evil(unlocked(result))),
    "evil texts and a lock": by_op(evil),
    "evil names": by_op(lambda result: evil(unlocked(result), {"address", "architecture"})),
    "evil error": dict.fromkeys(by_op(unlocked), line(ERROR)),
    "evil lock": dict.fromkeys(by_op(unlocked), line({**ERROR, "id": "locked"})),
    "nothing": dict.fromkeys(by_op(unlocked), b""),
    "empty": by_op(lambda result: {}),
    "null": by_op(lambda result: None),
    "deep": by_op(lambda result: hostile.deep(400)),
    "greeting": dict.fromkeys(by_op(unlocked), EVIL.encode() + b"\n"),
    "huge numbers": by_op(
        lambda result: damage.replaced(result, (next(iter(result)),), 10**300)
    ),
}  # fmt: skip
SCRIPT = """\
import json
if "podman exec" in sys.argv[-1] or sys.argv[-1] == "true":
    sys.exit(7)
if "sh -s" in sys.argv[-1]:
    say(open(%r + "/probe", "rb").read())
    sys.exit(0)
line = sys.stdin.buffer.readline()
try:
    op = json.loads(line)["op"]
except ValueError:
    op = ""
if "journalctl" in sys.argv[-1]:
    op = "journal"
try:
    say(open(%r + "/" + op, "rb").read())
except FileNotFoundError:
    os.write(2, %r)
    sys.exit(255)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cloud folder; the programs are those of the test alone, and reports lie with the test."""
    folder = tmp_path / "home"
    (folder / "pods").mkdir(parents=True)
    (folder / "cloud.yaml").write_text(CLOUD)
    (folder / "pods/blog.yaml").write_text(POD)
    (folder / "cloud.lock").write_text(json.dumps(LOCK))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.mark.parametrize("lie", sorted(LIES))
@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_lie(
    fake_ssh: FakeSsh,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    command: str,
    lie: str,
) -> None:
    said = tmp_path / "said"
    said.mkdir()
    for op, content in LIES[lie].items():
        (said / op).write_bytes(content)
    entry = {
        "__REALTIME_TIMESTAMP": "1700000000000000",
        "_SYSTEMD_UNIT": answers.UNIT,
        "MESSAGE": EVIL,
        "__CURSOR": "s=1",
    }
    (said / "journal").write_bytes(line(entry) + line({**entry, "PRIORITY": EVIL}))
    (said / "probe").write_text(PROBE.replace("alpha", EVIL) if "evil" in lie else PROBE)
    key = tmp_path / "key.pub"
    key.write_text(f"ssh-ed25519 {'A' * 68} me\n")
    fake_ssh.says(SCRIPT % (str(said), str(said), EVIL.encode()))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("skerry.bootstrap.reset._FINISH_WITHIN", 0.1)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    words = [str(key) if word == "KEY" else word for word in COMMANDS[command]]
    status = run_command_line(["-C", str(folder), *words])
    shown = capfd.readouterr()
    assert not (tmp_path / "state").exists(), f"a bug:\n{shown.err}"
    for text in (shown.out, shown.err):
        assert visible(text) == text
        assert not any(one.startswith(FORGED) for one in text.split("\n"))
    if "--json" in command and shown.out:
        json.loads(shown.out.splitlines()[0] if command.startswith("logs") else shown.out)
    assert "Usage:" not in shown.err
    if lie in ("honest", "evil texts") and command in GOOD:
        assert status == GOOD[command], shown.err
    assert status in set(ExitCode) or command == "exec"
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    changed = {
        path.relative_to(folder).as_posix() for path in after if after[path] != before.get(path)
    }
    assert changed <= OURS, changed
    assert b"\x1b" not in after[folder / "cloud.lock"]
    assert not fake_ssh.running()
