"""``skerry secret`` in a cloud folder: what it says and what it writes."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skerry.cli.main import run_command_line
from skerry.edge.editing import is_memory, memory_folder, read_mounts
from tests.unit.test_edge_secrets import make_key

CLOUD = "name: home\nnodes:\n  alpha: {ssh: root@alpha}\nrun:\n  blog: {pod: pods/blog.yaml}\n"
POD = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: $(db-password)}
---
apiVersion: v1
kind: Pod
metadata: {name: blog}
spec:
  containers:
  - name: web
    image: localhost/web
    env: [{name: PW, valueFrom: {secretKeyRef: {name: db, key: password}}}]
"""

Skerry = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cloud folder, and an operator with a key."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SKERRY_IDENTITY", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    make_key(tmp_path / "home/.ssh/id_ed25519")
    (tmp_path / "cloud/pods").mkdir(parents=True)
    (tmp_path / "cloud/cloud.yaml").write_text(CLOUD)
    return tmp_path / "cloud"


@pytest.fixture
def skerry(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Skerry:
    """Runs a command in the folder with something on standard input: status, output, errors."""

    def call(*words: str, typed: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
        status = run_command_line(["-C", str(folder), *words])
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return call


def test_set_get_ls_and_rm(skerry: Skerry, folder: Path) -> None:
    status, out, _ = skerry("secret", "set", "db-password", typed=b"hunter2\n")
    assert (status, out.splitlines()[0]) == (0, "set db-password in secrets.yaml")
    assert "encrypted to eva@laptop (ssh-ed25519)" in out
    assert skerry("secret", "get", "db-password") == (0, "hunter2", "")
    first = (folder / "secrets.yaml").read_text()
    assert "hunter2" not in first
    skerry("secret", "set", "other", typed=b"two\nlines\n")
    assert skerry("secret", "get", "other")[1] == "two\nlines\n"
    # The diff is the entry alone.
    assert (folder / "secrets.yaml").read_text().startswith(first)
    (folder / "pods/blog.yaml").write_text(POD)
    _, out, err = skerry("secret", "ls")
    assert "db-password" in out
    assert out.splitlines()[1].split()[-3:] == ["db", "blog", "alpha"]
    assert "hunter2" not in out + err
    rows = json.loads(skerry("--json", "secret", "ls")[1])["secrets"]
    assert rows[0]["pods"] == ["blog"]
    status, _, err = skerry("secret", "rm", "db-password")
    assert status == 2
    assert "Secret db refers to $(db-password)" in err
    assert skerry("secret", "rm", "other")[0] == 0
    assert (folder / "secrets.yaml").read_text() == first
    assert skerry("check")[0] == 0


@pytest.mark.claims("secret-not-an-argument")
def test_a_value_as_an_argument_is_refused_and_not_repeated(skerry: Skerry) -> None:
    status, out, err = skerry("secret", "set", "db", "hunter2")
    assert status == 2
    assert "hunter2" not in out + err
    assert "`skerry secret set db` asks for it" in err


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (["set", "a b"], b"x", "'a b' is no secret's name"),
        (["set", "db"], b"", "the value of db is empty"),
        (["set", "db"], b"x" * 512000, "the value of db is 512000 bytes long"),
        (["set", "db", "--file", "/nowhere"], b"", "/nowhere cannot be read"),
        (["set", "db", "--command"], b"", "--command takes a command"),
        (["get", "db"], b"", "there is no secrets.yaml in the cloud folder yet"),
        (["ls"], b"", "there is no secrets.yaml in the cloud folder yet"),
        (["import", "/nowhere"], b"", "/nowhere cannot be read"),
        (["import", "-"], b"nothing here\n", "-:1:1: is no line NAME=VALUE"),
        (["rekey", "--add", "nobody.pub"], b"", "there is no secrets.yaml"),
    ],
)
def test_what_cannot_be_says_why(
    skerry: Skerry, folder: Path, words: list[str], typed: bytes, said: str
) -> None:
    status, _, err = skerry("secret", *words, typed=typed)
    assert status == 2
    assert said in err
    assert not (folder / "secrets.yaml").exists()


def test_a_command_stands_for_a_value(skerry: Skerry, folder: Path) -> None:
    (folder / "value").write_text("from a file\n")
    skerry("secret", "set", "db", "--command", "--", "cat", "value")
    assert "command: [cat, value]" in (folder / "secrets.yaml").read_text()
    assert skerry("secret", "get", "db")[1] == "from a file"
    assert "a command that prints the value" in skerry("secret", "edit", "db")[2]


def test_edit_keeps_the_value_in_memory(
    skerry: Skerry, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    skerry("secret", "set", "db", typed=b"hunter2\n")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "$1" >%s/path\nsed -i s/2/3/ "$1"\n' % tmp_path)  # noqa: UP031
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    assert skerry("secret", "edit", "db")[:2] == (0, "changed db in secrets.yaml\n")
    assert skerry("secret", "get", "db")[1] == "hunter3"
    path = Path((tmp_path / "path").read_text().strip())
    assert not path.parent.exists()
    assert is_memory(str(path.parent.parent), read_mounts(Path("/proc/mounts").read_text()))
    assert skerry("secret", "edit", "db")[1] == "db is as it was\n"
    editor.write_text(f'#!/bin/sh\necho "$1" >{tmp_path}/path\nexit 1\n')
    assert (
        "the editor ended with status 1: nothing was changed" in skerry("secret", "edit", "db")[2]
    )
    assert not Path((tmp_path / "path").read_text().strip()).parent.exists()
    editor.write_text('#!/bin/sh\necho fresh >"$1"\n')
    assert skerry("secret", "edit", "new")[1] == "set new in secrets.yaml\n"
    assert skerry("secret", "get", "new")[1] == "fresh"


def test_what_is_memory_is_told_by_the_nearest_mount() -> None:
    mounts = read_mounts("x / ext4 rw 0 0\nx /run tmpfs rw 0 0\nx /run/my\\040disk ext4 rw 0 0\n")
    assert is_memory("/run/user/0", mounts)
    assert not is_memory("/run/my disk/x", mounts)
    assert not is_memory("/home", mounts)
    assert memory_folder().is_dir()


def test_rekey_adds_and_removes(skerry: Skerry, folder: Path, tmp_path: Path) -> None:
    skerry("secret", "set", "db", typed=b"hunter2\n")
    other = make_key(tmp_path / "other")
    status, out, _ = skerry("secret", "rekey", "--add", str(tmp_path / "other.pub"))
    assert (status, out.splitlines()[0]) == (0, "1 secret encrypted to 2 recipients:")
    assert other in (folder / "secrets.yaml").read_text()
    before = (folder / "secrets.yaml").read_text()
    mine = (tmp_path / "home/.ssh/id_ed25519.pub").read_text().strip()
    status, _, err = skerry("secret", "rekey", "--remove", mine)
    assert status == 2
    assert "you could not read the secrets any more" in err
    assert (folder / "secrets.yaml").read_text() == before
    assert "has seen the values" in skerry("secret", "rekey", "--remove", other)[1]
    assert other not in (folder / "secrets.yaml").read_text()
    assert skerry("secret", "get", "db")[1] == "hunter2"


def test_recipients_changed_by_hand_are_not_encrypted_to(
    skerry: Skerry, folder: Path, tmp_path: Path
) -> None:
    skerry("secret", "set", "db", typed=b"hunter2\n")
    text = (folder / "secrets.yaml").read_text()
    other = make_key(tmp_path / "other")
    (folder / "secrets.yaml").write_text(
        text.replace("recipients:\n", f'recipients:\n  - "{other}"\n')
    )
    status, _, err = skerry("secret", "set", "db", typed=b"hunter3\n")
    assert status == 2
    assert "are not those that its values are encrypted to" in err
    assert skerry("secret", "rekey")[0] == 0
    assert skerry("secret", "set", "db", typed=b"hunter3\n")[0] == 0


def test_import_of_a_env_file(skerry: Skerry, folder: Path, tmp_path: Path) -> None:
    text = (
        '# comment\nexport A=plain # note\nB=\'single # $x\'\nC="a\\n\\"b\\""\n\nD="two\nlines"\n'
    )
    (tmp_path / ".env").write_text(text)
    status, out, err = skerry("secret", "import", str(tmp_path / ".env"), "--secret", "app")
    assert status == 0, err
    for name, value in {"A": "plain", "B": "single # $x", "C": 'a\n"b"', "D": "two\nlines"}.items():
        assert skerry("secret", "get", name)[1] == value
    (folder / "pods/app.yaml").write_text(out)
    (folder / "cloud.yaml").write_text("name: home\n")
    assert skerry("check")[0] == 0
    assert "there already: A, B, C, D" in skerry("secret", "import", str(tmp_path / ".env"))[2]
    assert skerry("secret", "import", str(tmp_path / ".env"), "--replace")[0] == 0


def test_import_of_what_kubectl_prints(skerry: Skerry, folder: Path) -> None:
    text = """\
apiVersion: v1
items:
- apiVersion: v1
  kind: Secret
  data: {password: aHVudGVyMg==, .key: /w==}
  metadata: {name: db, uid: 12-34, creationTimestamp: "2026-01-01T00:00:00Z", resourceVersion: "7"}
  type: Opaque
- {apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {x: y}}
kind: List
"""
    status, out, err = skerry("secret", "import", "-", typed=text.encode())
    assert status == 0, err
    assert "hunter2" not in out + err
    assert skerry("secret", "get", "db-password")[1] == "hunter2"
    (folder / "pods/db.yaml").write_text(out)
    (folder / "cloud.yaml").write_text("name: home\n")
    assert skerry("check")[0] == 0
    assert 'password: "$(db-password)"' in out
    bad = text.replace("aHVudGVyMg==", "hunter2!")
    status, out, err = skerry("secret", "import", "-", "--replace", typed=bad.encode())
    assert status == 2
    assert "-:5:20: the value of 'password' is not base64" in err
    assert "hunter2" not in out + err
