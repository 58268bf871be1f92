"""Names that lead elsewhere, in every text of a folder: nothing outside is opened, nothing written.

An audit hook (sys.addaudithook) sees every file that the interpreter opens, makes, moves or
removes, and every program that it starts. It cannot be taken off, so it is in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.cli.main import run_command_line
from tests.unit.sources import ROOT

SCRIPT = r"""
import json, os, sys, sysconfig
from pathlib import Path
root, folder = sys.argv[1], Path(sys.argv[2])
sys.path[:0] = [root, root + "/src"]
from tests.fuzz import damage
from tests.fuzz.clouds import NODES, good_folders
from tests.fuzz.test_folders import check_folder
from tests.fuzz.trees import check_tree
from tests.golden.test_trees import lock_of
from skerry.compile.cloud import compile_cloud
from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud
from skerry.load.image import load_images

TEXTS = ["../../../../tmp/out", "/etc/passwd", "a/../../b", "..", "~root/x", "-x", "a/b", ".git"]
# What Python itself reads: its modules, and data of time zones.
OWN = (root, sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), "/usr/share/zoneinfo")
seen, armed = [], [False]

def hook(event, arguments):
    if not armed[0]:
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int):
            return
        path = os.path.realpath(os.fsdecode(path))
        writes = (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or (
            isinstance(mode, str) and set(mode) & set("wax+"))
        if writes or not (path.startswith(str(folder)) or path.startswith(OWN)):
            seen.append((event, path))
    elif event in ("os.listdir", "os.scandir", "os.walk"):
        path = os.path.realpath(os.fsdecode(arguments[0] or "."))
        if not (path.startswith(str(folder)) or path.startswith(OWN)):
            seen.append((event, path))
    elif event.split(".")[0] in ("os", "shutil", "subprocess", "socket") and event not in (
        "os.putenv", "os.unsetenv", "os.getxattr", "os.listxattr"):
        seen.append((event, repr(arguments)[:200]))

sys.addaudithook(hook)

def check():
    try:
        cloud = load_cloud(folder)
        trees = compile_cloud(cloud, lock_of(cloud))
    except CloudInvalid:
        return 0
    for tree in trees.values():
        check_tree(tree)
    return 1

def write(files):
    for name, content in files.items():
        if not isinstance(content, bytes):
            content = b"\n---\n".join(map(damage.dump, content))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

def keyed(document, path, text):
    parent = damage.at(document, path[:-1])
    if not isinstance(parent, dict):
        return None
    changed = {text if key == path[-1] else key: value for key, value in parent.items()}
    return damage.replaced(document, path[:-1], changed)

count = good = 0
image = {"base": "debian-13", "files": {"/etc/x": "x"}, "workdir": "/srv", "user": "a"}
inventory = {"all": {"hosts": {"a": {"ansible_host": "b", "ansible_user": "c",
                                     "ansible_ssh_private_key_file": "k"}}}}
extra = {"cloud.yaml": [{"name": "home", "nodes": NODES, "inventory": "hosts.yaml",
                         "ssh-config": "x", "run": {}}], "hosts.yaml": [inventory]}
for name, files in {**good_folders(), "extra": extra}.items():
    for old in sorted(folder.rglob("*"), reverse=True):
        old.unlink() if not old.is_dir() else old.rmdir()
    write(files)
    armed[0] = True
    check()
    armed[0] = False
    for file, documents in files.items():
        if isinstance(documents, bytes):
            continue
        for index, document in enumerate(documents):
            for path in damage.text_paths(document):
                text = TEXTS[count % len(TEXTS)]
                changed = keyed(document, path, text) if count % 3 == 0 else None
                if changed is None:
                    changed = damage.replaced(document, path, text)
                write({file: [*documents[:index], changed, *documents[index + 1 :]]})
                armed[0] = True
                good += check()
                armed[0] = False
                count += 1
        write({file: documents})
for path in damage.text_paths(image):
    for text in TEXTS:
        write({"images/web/image.yaml": [damage.replaced(image, path, text)], "images/web/x": b""})
        armed[0] = True
        try:
            load_images(folder)
        except CloudInvalid:
            pass
        armed[0] = False
        count += 1
print(json.dumps({"count": count, "good": good, "seen": sorted(set(map(str, seen)))[:20]}))
"""


def test_nothing_outside_is_opened_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    finished = subprocess.run(
        (sys.executable, "-c", SCRIPT, str(ROOT), str(folder)),
        env={**os.environ, "TZDIR": "/usr/share/zoneinfo"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    found = json.loads(finished.stdout)
    assert found["seen"] == []
    assert found["count"] > 300
    assert found["good"] > 30, "all was refused: nothing was shown"


@pytest.mark.parametrize(
    "words",
    [
        ("rollback", "../../etc"),
        ("rollback", "-1"),
        ("rollback", "9" * 5000),
        ("node", "add", "../x", "root@host"),
        ("node", "add", "-oProxyCommand=id", "root@host"),
        ("node", "add", "a\nb ssh-ed25519 AAAA", "root@host"),
        ("node", "add", "alpha", "-oProxyCommand=id"),
        ("node", "add", "alpha", "root@-oProxyCommand=id"),
        ("node", "add", "alpha", "root@host`id`"),
        ("node", "add", "alpha", "$(id)@host"),
        ("node", "rm", "../x"),
        ("node", "reset", "*/../x", "--yes"),
        ("lab", "--name", "../x", "ls"),
        ("lab", "--name", "/etc", "down"),
        ("lab", "--name", "-x", "ls"),
        ("secret", "set", "../x"),
        ("secret", "set", "a/../../x"),
        ("secret", "set", "x\ny: z"),
        ("secret", "edit", "../x"),
        ("image", "build", "../x"),
        ("status", "../x"),
        ("logs", "--since", "9" * 5000),
        ("-C", "/dev/null", "check"),
        ("-C", "/dev/zero", "check"),
        ("-C", "a" * 5000, "check"),
    ],
)
def test_names_on_the_command_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    """Refused in a line, and nothing is started or written for them."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "cloud.yaml").write_text("name: home\nnodes: {}\nrun: {}\n")
    monkeypatch.chdir(folder)
    for name in ("STATE", "CACHE", "RUNTIME", "CONFIG"):
        suffix = "DIR" if name == "RUNTIME" else "HOME"
        monkeypatch.setenv(f"XDG_{name}_{suffix}", str(tmp_path / name.lower()))
    monkeypatch.setenv("HOME", str(tmp_path / "home-of-nobody"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    status = run_command_line(list(words))
    shown = capfd.readouterr()
    # 1 is what the machine itself refuses: a name of 5,000 characters.
    assert status in (1, 2, 3), shown.err
    assert "Traceback" not in shown.err
    assert not (tmp_path / "state").exists(), shown.err
    assert [path.name for path in folder.iterdir()] == ["cloud.yaml"]
    assert (folder / "cloud.yaml").read_text() == "name: home\nnodes: {}\nrun: {}\n"
