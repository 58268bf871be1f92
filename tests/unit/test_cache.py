"""What is remembered of a cloud folder: never older than the folder, never a secret, never a
reason to fail."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.cache import inputs, sealed
from skerry.cache.glance import ASKED, CHECKED, Glance
from skerry.cli.main import run_command_line
from skerry.cli.remember import inputs_of
from skerry.cli.start import Start
from skerry.load.cloud import load_cloud

PASSWORD = "correct horse battery staple"
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  containers:
  - name: web
    image: localhost/web
"""
SECRET = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: db}}
stringData:
  password: {PASSWORD}
"""
FILES = {
    "cloud.yaml": "name: home\ninventory: hosts/all.ini\n"
    "nodes:\n  alpha: {ssh: root@alpha}\n"
    "run:\n  w: {pod: pods/w.yaml}\n  x: {pod: apps/x.yaml}\n  y: {pod: pods/.y/y.txt}\n",
    "hosts/all.ini": "beta ansible_user=root\n",
    "hosts/host_vars/beta.yml": "color: red\n",
    "pods/w.yaml": POD.format(name="w"),
    "pods/more/s.yml": SECRET,
    "pods/.y/y.txt": POD.format(name="y"),
    "apps/x.yaml": POD.format(name="x"),
}

OK = "ok: 2 nodes, 3 workloads, 0 ConfigMaps (ms)\n"


@pytest.fixture(autouse=True)
def _own_key(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cloud folder with every way in which something is read, and its verdict remembered."""
    write(tmp_path / "cloud", FILES)
    while not is_remembered(tmp_path / "cloud"):
        check(tmp_path / "cloud")
    return tmp_path / "cloud"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def check(folder: Path, *words: str) -> tuple[int, str]:
    """Status and output of `skerry check` as the console script runs it."""
    arguments = ["-C", str(folder), "check", *words]
    start = Start(arguments)
    with redirect_stdout(StringIO()) as output, redirect_stderr(output):
        status = start.try_answer()
        if status is None:
            status = run_command_line(arguments, start)
    return status, without_time(output.getvalue())


def plain_check(folder: Path, *words: str) -> tuple[int, str]:
    """The same without a look at what is remembered."""
    with redirect_stdout(StringIO()) as output, redirect_stderr(output):
        status = run_command_line(["-C", str(folder), "check", *words])
    return status, without_time(output.getvalue())


def without_time(text: str) -> str:
    return re.sub(r"\(\d+ ms\)", "(ms)", text)


def is_remembered(folder: Path) -> bool:
    """Whether the verdict on the folder as it is now is known."""
    return Glance(str(folder)).try_verdict() is not None


def add(folder: Path, name: str, text: str) -> None:
    write(folder, {name: text})


def relink(folder: Path) -> None:
    """The same content by another way."""
    there = folder / "pods/w.yaml"
    there.rename(folder / "elsewhere.yaml")
    there.symlink_to("../elsewhere.yaml")


def bury(folder: Path) -> None:
    (folder / "apps/x.yaml").unlink()
    (folder / "apps/x.yaml").mkdir()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def swap(folder: Path) -> None:
    one, other = folder / "pods/w.yaml", folder / "apps/x.yaml"
    texts = one.read_text(), other.read_text()
    one.write_text(texts[1])
    other.write_text(texts[0])


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte of cloud.yaml": lambda folder: edit(folder / "cloud.yaml"),
    "a byte of a manifest": lambda folder: edit(folder / "pods/w.yaml"),
    "a byte of a manifest in a folder": lambda folder: edit(folder / "pods/more/s.yml"),
    "a byte of a manifest elsewhere": lambda folder: edit(folder / "apps/x.yaml"),
    "a byte of a hidden manifest": lambda folder: edit(folder / "pods/.y/y.txt"),
    "a byte of the inventory": lambda folder: edit(folder / "hosts/all.ini"),
    "a byte of variables": lambda folder: edit(folder / "hosts/host_vars/beta.yml"),
    "new variables": lambda folder: add(folder, "hosts/group_vars/all", "ansible_port: 23\n"),
    "a new manifest": lambda folder: add(folder, "pods/new.yaml", "{"),
    "a new manifest in a new folder": lambda folder: add(folder, "pods/a/b.yml", "{"),
    "a new lock": lambda folder: add(folder, "cloud.lock", '{"format": 1}'),
    "a bad lock": lambda folder: add(folder, "cloud.lock", "{"),
    "new secrets": lambda folder: add(folder, "secrets.yaml", "{}"),
    "a manifest less": lambda folder: (folder / "pods/more/s.yml").unlink(),
    "a manifest with another name": lambda folder: (folder / "pods/w.yaml").rename(
        folder / "pods/v.yaml"
    ),
    "contents exchanged": swap,
    "a link in place of a file": relink,
    "a folder in place of a file": bury,
    "no pods": lambda folder: (folder / "pods").rename(folder / "pods.old"),
}


def edit(path: Path) -> None:
    """Changes one byte and nothing else: size and times are as before."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] = ord(" ")
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    change(folder)
    assert not is_remembered(folder)
    assert check(folder) == plain_check(folder)


def test_nothing_is_loaded_for_what_is_remembered(folder: Path) -> None:
    assert Start(["-C", str(folder), "check"]).try_answer() == 0
    assert check(folder) == plain_check(folder) == (0, OK)
    assert check(folder, "--json") == plain_check(folder, "--json")


WATCH = """\
import pathlib, sys
from skerry.cache.inputs import try_digest_all
from skerry.cli.check import compile_folder
from skerry.cli.remember import inputs_of

seen = []
def note(name, args):
    if name in ("open", "os.listdir", "os.scandir"):
        seen.append(str(args[0]))

folder = sys.argv[1]
sys.addaudithook(note)
cloud, _ = compile_folder(pathlib.Path(folder))
loaded = {path for path in seen if path.startswith(folder)}
inputs = inputs_of(folder, cloud)
seen.clear()
try_digest_all(folder, inputs, b"key")
print(len(loaded), sorted(loaded - set(seen)))
"""


def test_all_that_is_opened_decides(folder: Path) -> None:
    """Whatever loading opens or lists below the folder is among the inputs."""
    finished = subprocess.run(
        (sys.executable, "-c", WATCH, str(folder)), capture_output=True, text=True, check=True
    )
    count, _, missing = finished.stdout.strip().partition(" ")
    assert int(count) >= len(FILES)
    assert missing == "[]"


def test_sources_and_libraries_decide(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library.py"
    library.write_text("one = 1\n")
    glance = Glance(str(folder))
    key = sealed.try_read_key()
    assert key is not None
    stamp = (str(library), library.stat().st_mtime_ns, library.stat().st_size)
    with_library = inputs.Inputs(libraries=[stamp])
    before = inputs.try_digest_all(str(folder), with_library, key)
    library.write_text("one = 22\n")
    assert inputs.try_digest_all(str(folder), with_library, key) != before
    library.unlink()
    assert inputs.try_digest_all(str(folder), with_library, key) is None
    # Another version of Skerry is another place of its sources, or other sources.
    copy = tmp_path / "skerry/cache"
    copy.mkdir(parents=True)
    (tmp_path / "skerry_node").mkdir()
    assert glance.try_verdict() is not None
    monkeypatch.setattr(inputs, "__file__", str(copy / "inputs.py"))
    assert not is_remembered(folder)


def test_an_edit_while_it_is_checked_is_not_remembered(folder: Path) -> None:
    """The verdict is on what was read, which may not be what is there when it is kept."""
    edit(folder / "pods/w.yaml")
    glance = Glance(str(folder))
    assert glance.try_verdict() is None
    cloud = load_cloud(folder)
    add(folder, "pods/w.yaml", "{")
    glance.keep_verdict(inputs_of(str(folder), cloud), {"name": "home"})
    assert not is_remembered(folder)
    status, output = check(folder)
    assert status == 2 and "pods/w.yaml" in output


@given(
    name=st.sampled_from(sorted(FILES)),
    at=st.integers(0, 400),
    length=st.integers(0, 4),
    new=st.text(st.sampled_from("ab1:{}[]-# \n\"'"), max_size=4),
)
def test_small_edits(name: str, at: int, length: int, new: str) -> None:
    """Checked with what is remembered of the folder before the edit, and without: no difference."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder, FILES)
        check(folder)
        check(folder)
        text = FILES[name]
        at = min(at, len(text))
        (folder / name).write_text(text[:at] + new + text[at + length :])
        expected = plain_check(folder)
        assert check(folder) == expected
        assert check(folder) == expected
        assert check(folder) == expected


def damaged(content: bytes) -> Iterator[bytes]:
    """Records that are cut off, or changed in one place, or not ours."""
    yield b""
    yield b"\n"
    yield b"{}"
    yield b"\xff" * 100
    yield content + b" "
    yield content[33:]
    for at in range(0, len(content), 7):
        yield content[:at]
        changed = bytearray(content)
        changed[at] ^= 1
        yield bytes(changed)


def test_a_damaged_record_is_none_and_is_replaced(folder: Path) -> None:
    path = folder / ".skerry" / CHECKED
    good = path.read_bytes()
    for content in damaged(good):
        path.write_bytes(content)
        assert not is_remembered(folder)
    assert check(folder) == plain_check(folder)
    while not is_remembered(folder):
        check(folder)
    assert json.loads(path.read_bytes()[33:])["verdict"] is not None


def test_a_record_of_somebody_else_is_none(folder: Path, tmp_path: Path) -> None:
    """A cloud folder that came from elsewhere, with its cache, under another operator's seal."""
    Path(sealed.key_path()).write_bytes(os.urandom(32))
    assert not is_remembered(folder)
    assert Glance(str(folder)).questions() == []
    check(folder)


def test_a_record_has_its_place(folder: Path) -> None:
    """The one record in the place of the other is none, though its seal is good."""
    glance = Glance(str(folder))
    glance.keep_questions(inputs.Inputs(), [(("ssh", "alpha"), b"{}\n")])
    cache = folder / ".skerry"
    (cache / CHECKED).write_bytes((cache / ASKED).read_bytes())
    assert not is_remembered(folder)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_none(folder: Path, mode: int) -> None:
    Path(sealed.key_path()).chmod(mode)
    assert sealed.try_read_key() is None
    check(folder)
    # A new one was made, for us alone.
    assert sealed.try_read_key() is not None


def test_what_cannot_be_kept_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FILES)
    (tmp_path / ".skerry").write_text("a file in the way")
    assert check(tmp_path) == plain_check(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert check(tmp_path) == plain_check(tmp_path)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """It may have come with somebody's cloud folder, and lead anywhere."""
    cloud, elsewhere = tmp_path / "cloud", tmp_path / "elsewhere"
    elsewhere.mkdir()
    write(cloud, FILES)
    (cloud / ".skerry").symlink_to(elsewhere)
    assert check(cloud) == plain_check(cloud)
    assert names_in(elsewhere) == []


def test_a_pipe_or_a_device_is_not_waited_for(folder: Path) -> None:
    (folder / "pods/w.yaml").unlink()
    os.mkfifo(folder / "pods/w.yaml")
    assert not is_remembered(folder)
    (folder / "pods/w.yaml").unlink()
    (folder / "pods/w.yaml").symlink_to("/dev/zero")
    assert not is_remembered(folder)


def test_it_is_for_the_operator_alone(folder: Path) -> None:
    cache = folder / ".skerry"
    assert cache.stat().st_mode & 0o777 == 0o700
    assert (cache / CHECKED).stat().st_mode & 0o777 == 0o600
    assert Path(sealed.key_path()).stat().st_mode & 0o777 == 0o600
    assert (cache / ".gitignore").read_text() == "*\n"


def test_it_is_bounded(folder: Path) -> None:
    glance = Glance(str(folder))
    glance.keep_questions(inputs.Inputs(), [(("ssh", "alpha"), b"x" * sealed.LIMIT)])
    assert not (folder / ".skerry" / ASKED).exists()
    with subprocess.Popen(("true",)) as dead:
        dead.wait()
    lefts = {
        who: folder / ".skerry" / f".{CHECKED}.{pid}.0123456789ab.new"
        for who, pid in (("killed", dead.pid), ("long ago", 1), ("at work", os.getppid()))
    }
    for left in lefts.values():
        left.write_bytes(b"a writer's")
    os.utime(lefts["long ago"], (0, 0))
    edit(folder / "pods/w.yaml")
    check(folder)
    assert names_in(folder / ".skerry") == sorted([lefts["at work"].name, ".gitignore", CHECKED])


def test_no_secret_is_in_it(folder: Path) -> None:
    """Neither a value, nor its digest, nor that of a file that holds it: each would let the one
    who has it test guesses."""
    cloud = load_cloud(folder)
    glance = Glance(str(folder))
    glance.keep_questions(inputs_of(str(folder), cloud), [(("ssh", "alpha"), b"{}\n")])
    kept = b"".join(path.read_bytes() for path in (folder / ".skerry").iterdir())
    assert b"verdict" in kept and b"questions" in kept
    for value in (PASSWORD.encode(), SECRET.encode()):
        forms = [value, base64.b64encode(value), value.hex().encode()]
        for algorithm in hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}:
            made = hashlib.new(algorithm, value)
            forms += [made.hexdigest().encode(), base64.b64encode(made.digest())[:-2]]
            forms.append(made.hexdigest()[:32].encode())
        short = hashlib.blake2b(value, digest_size=16).hexdigest().encode()
        assert not [form for form in [*forms, short] if form in kept]


def test_digests_are_keyed(folder: Path) -> None:
    """Else who knows all of a folder but a password could try which one gives the digest."""
    wanted = inputs_of(str(folder), load_cloud(folder))
    for digest in (inputs.try_digest_all, inputs.try_digest_nodes):
        one, other = (digest(str(folder), wanted, key) for key in (b"one", b"other"))
        assert one is not None and other is not None and one != other


def test_the_key_is_not_in_the_folder(folder: Path) -> None:
    key = sealed.try_read_key()
    assert key is not None
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert key not in kept and key.hex().encode() not in kept


def test_many_at_once(folder: Path) -> None:
    """Processes that read and write the same records, while the folder changes."""
    words = (sys.executable, "-m", "skerry", "-C", str(folder), "check")
    running = []
    for number in range(8):
        (folder / "pods/w.yaml").write_text(POD.format(name="w") + f"# {number // 3}\n")
        running.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    outputs = [without_time(one.communicate(timeout=120)[0].decode()) for one in running]
    assert set(outputs) == {OK}
    assert names_in(folder / ".skerry") == [".gitignore", CHECKED]
    assert check(folder) == plain_check(folder)


def test_the_nearest_folder_is_meant(folder: Path) -> None:
    with chdir(folder / "pods/more"):
        start = Start(["check"])
        with redirect_stdout(StringIO()):
            assert start.try_answer() == 0
        assert start.glance is not None and start.glance.folder == str(folder)
