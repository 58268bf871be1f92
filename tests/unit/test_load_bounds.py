"""Whatever lies in the place of a file: read in bounded time and memory, told with its place."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud
from skerry.load.lockfile import read_lock
from skerry.render.errors import render_error
from skerry.render.text import visible
from tests.unit.sources import ROOT

CLOUD = "name: home\nnodes: {a: {ssh: a}}\nrun: {w: {pod: pods/w.yaml}}\n"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: w}
spec:
  containers:
    - {name: c, image: i}
"""
# A process of its own, so that its memory and time are its own: in seconds of CPU, and megabytes
# beyond what the interpreter and its modules take.
SECONDS, MEGABYTES = 20, 400
CHECK = """\
import resource, sys
from skerry.cli.main import run_command_line
sys.stdin.close()
status = run_command_line(["check"])
used = resource.getrusage(resource.RUSAGE_SELF)
# Not `ru_maxrss`: that begins with what its parent had when it was started.
peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
print("measured", used.ru_utime + used.ru_stime, peak // 1024)
sys.exit(status)
"""

LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 9)}]\n" for one in range(1, 30)
)
QUADRATIC = "x-a: &a " + "a" * 100_000 + "\nx-b: [" + "*a, " * 100_000 + "]\n"


def write_folder(folder: Path, pod: bytes | str = POD, cloud: bytes | str = CLOUD) -> Path:
    """A cloud folder of two files."""
    (folder / "pods").mkdir(parents=True)
    for name, content in (("cloud.yaml", cloud), ("pods/w.yaml", pod)):
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def problems_of(folder: Path) -> list[str]:
    """What is wrong with the folder, each on one harmless line."""
    try:
        load_cloud(folder)
    except CloudInvalid as error:
        shown = render_error(error)
        assert visible(shown) == shown
        assert len(shown.split("\n")) == len(error.problems) + 1
        return [str(one) for one in error.problems]
    return []


def check_bounded(folder: Path) -> str:
    """Runs ``skerry check`` with limits on time and memory; what it prints."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    finished = subprocess.run(
        (sys.executable, "-c", CHECK),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        preexec_fn=limit,
    )
    assert finished.returncode == 2, finished.stdout[-2000:] + finished.stderr[-2000:]
    assert "Traceback" not in finished.stderr
    *lines, measured = finished.stdout.splitlines()
    _, seconds, megabytes = measured.split()
    assert float(seconds) < SECONDS
    assert int(megabytes) < MEGABYTES, f"{megabytes} MB"
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (POD + LAUGHS, "pods/w.yaml:7:1: no field `a0` here"),
        ("[" * 10_000 + "]" * 10_000, "pods/w.yaml:1:100: is nested more than 100 levels deep"),
        ("{a: " * 10_000 + "}" * 10_000, "pods/w.yaml:1:397: is nested more than 100 levels"),
        (
            "\n".join(" " * one + "a:" for one in range(3_000)),
            "pods/w.yaml:100:100: is nested more than 100 levels deep",
        ),
        ("- " * 10_000 + "x", "pods/w.yaml:1:199: is nested more than 100 levels deep"),
        ("? " * 10_000 + "x", "is nested more than 100 levels deep"),
        ("a: " + "x" * (100 << 20), "pods/w.yaml: is larger than 8 MiB: not read"),
        ("a: " + "x" * (7 << 20), "pods/w.yaml:1:1: the field `kind` must be given"),
        ('a: "' + "\\n" * (3 << 20) + '"', "pods/w.yaml:1:1: the field `kind` must be given"),
        ("a: b\n---\n" * 800_000, "pods/w.yaml: holds more than 200000 values: not read"),
        ("---\n" * 2_000_000, "pods/w.yaml: holds more than 200000 values: not read"),
        ("- x\n" * 2_000_000, "pods/w.yaml: holds more than 200000 values: not read"),
        ("[" + "x," * 3_000_000 + "]", "pods/w.yaml: holds more than 200000 values: not read"),
        (
            POD + "".join(f"field{one}: x\n" for one in range(90_000)),
            "pods/w.yaml:1:1: has more errors: mend these first",
        ),
        (
            "".join(f"{POD}x{one}: y\n---\n" for one in range(9_000)),
            "error: 2001 errors in the cloud folder",
        ),
        (POD + "".join(f"&a{one} k{one}: *a0\n" for one in range(60_000)), "has more errors"),
        ("# " + "x" * (7 << 20) + "\n" + POD + "x: y\n", "pods/w.yaml:8:1: no field `x` here"),
        ("\n" * (7 << 20) + "a", "a manifest must be a mapping"),
        ("%YAML 1.1\n" * 500_000, "pods/w.yaml:2:1: is not YAML"),
        ("a: " + "9" * (5 << 20), "the field `kind` must be given"),
        ("a: '" + "''" * (3 << 20), "is not YAML"),
        (b"\xff\xfe" + POD.encode("utf-16-le") * 40_000, "is not UTF-8 text (byte 0xff)"),
    ],
    ids=range(22),
)
def test_bounded(tmp_path: Path, pod: bytes | str, words: str) -> None:
    assert words in check_bounded(write_folder(tmp_path / "home", pod))


@pytest.mark.parametrize(
    ("cloud", "words"),
    [
        (CLOUD + "x-b: 1\n" + LAUGHS.replace("a0", "x-a0"), "no field `a1`"),
        (
            "x-a: &a {" + ", ".join(f"k{one}: {{ssh: a}}" for one in range(1000)) + "}\n"
            "name: home\nnodes: {<<: [" + "*a, " * 2000 + "]}\n",
            "cloud.yaml:1:1: its aliases make it too large",
        ),
        (
            "name: home\nx-a: &a {b: &b {c: 1}}\nnodes: &n {a: {ssh: a}, <<: *n}\n",
            "a merge (<<) contains itself",
        ),
        (
            "name: home\nnodes: {a: {ssh: a}}\nrun:\n"
            + "".join(f"  w{one}: {{pod: p, replicas: 1, x: y}}\n" for one in range(20_000)),
            "has more errors: mend these first",
        ),
    ],
    ids=range(4),
)
def test_bounded_cloud_file(tmp_path: Path, cloud: str, words: str) -> None:
    assert words in check_bounded(write_folder(tmp_path / "home", cloud=cloud))


def test_aliases_that_stand_for_much_are_harmless_where_nothing_is_read(tmp_path: Path) -> None:
    """An extension's values are nobody's: ten gigabytes of text are not built from them."""
    assert problems_of(write_folder(tmp_path / "home", cloud=CLOUD + QUADRATIC)) == []


@pytest.mark.parametrize(
    ("inventory", "words"),
    [
        ("[0:4999]" * 9 + "\n", "more than 5000 hosts"),
        ("".join(f"[g{one}]\n" for one in range(100_000)), "more than 1000 groups"),
        (
            "".join(f"[g{one}:children]\ng{one + 1}\n" for one in range(990)) + "[g990]\na\n",
            "",
        ),
        ("".join(f"h{one} =\n" for one in range(100_000)), "more than 5000 hosts"),
        ("x[\n" * 100_000, "has more errors: mend these first"),
        ("a x=" + '"' * 100_001 + "\n", "this quote is not closed"),
    ],
    ids=range(6),
)
def test_bounded_inventory(tmp_path: Path, inventory: str, words: str) -> None:
    folder = write_folder(tmp_path / "home", cloud="name: home\ninventory: hosts\nx: y\n")
    (folder / "hosts").write_text(inventory)
    assert words in check_bounded(folder)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_folder(path: Path) -> None:
    path.mkdir()


PLACES = ("cloud.yaml", "pods/w.yaml", "secrets.yaml", "cloud.lock")


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_fifo, "is not a regular file, but a pipe, a device or a socket: not read"),
        (make_zero, "is not a regular file, but a pipe, a device or a socket: not read"),
        (make_loop, "cannot be read: Too many levels of symbolic links"),
        (make_folder, "is a folder, not a file"),
    ],
)
def test_no_file(tmp_path: Path, name: str, make: Callable[[Path], None], words: str) -> None:
    folder = write_folder(tmp_path / "home")
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    if name == "cloud.lock":
        with pytest.raises(CloudInvalid) as caught:
            read_lock(folder)
        assert [str(one).startswith(f"{name}: {words}") for one in caught.value.problems] == [True]
        return
    if name == "pods/w.yaml" and make is make_zero:
        words = "leads out of the cloud folder through a symbolic link"
    found = problems_of(folder)
    if name == "pods/w.yaml" and make is make_folder:
        # A folder of that name may hold manifests; the placement names a file.
        assert any("pods/w.yaml" in one for one in found)
        return
    assert f"{name}: {words}" in found


def test_manifests_are_not_looked_for_outside(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "home")
    (folder / "pods/w.yaml").unlink()
    (folder / "pods").rmdir()
    (folder / "pods").symlink_to("/")
    assert "pods: leads out of the cloud folder through a symbolic link" in problems_of(folder)


def test_names_of_files_are_shown_harmless(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "home")
    for name in (b"a\nb.yaml", b"\x1b[2J.yaml", b"\xff.yaml", "\u202egnp.yaml".encode()):
        (folder / "pods" / os.fsdecode(name)).write_text("kind: Nothing\n")
    with pytest.raises(CloudInvalid) as caught:
        load_cloud(folder)
    shown = render_error(caught.value).splitlines()
    assert [line.partition(":")[0] for line in shown[:4]] == [
        "pods/\\x1b[2J.yaml", "pods/a\\nb.yaml", "pods/\\u202egnp.yaml", "pods/\\udcff.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfea\x00", "1:1: is not UTF-8 text (byte 0xff) (save the file as UTF-8)"),
        ("a: é".encode("latin-1"), "1:4: is not UTF-8 text (byte 0xe9) (save the file as UTF-8)"),
        (b"a: b\n\0", "2:1: is not YAML: control characters are not allowed"),
        (b"a: \xed\xa0\x80", "1:4: is not UTF-8 text (byte 0xed) (save the file as UTF-8)"),
        (b"a:\n\tb: c\n", "2:1: is not YAML: a tab stands where YAML wants spaces"
         " (indent with spaces)"),
        (b"%YAML 3.0\n---\na: b\n", "1:1: is not YAML: found incompatible YAML document"),
        (b"a: &x 1\n---\nb: *x\n", "3:4: is not YAML: this alias names no anchor"
         " (an anchor (&name) comes before its alias)"),
        (b"kind: !!python/object/apply:os.system [id]\n", "1:1: the field `kind` must be given"
         " (one of "),
    ],
)  # fmt: skip
def test_texts_that_are_no_yaml(tmp_path: Path, content: bytes, words: str) -> None:
    found = problems_of(write_folder(tmp_path / "home", content))
    assert any(one.startswith(f"pods/w.yaml:{words}") for one in found), found


@pytest.mark.parametrize(
    "text",
    [
        POD.replace("\n", "\r\n"),
        "\ufeff" + POD,
        "%YAML 1.1\n---\n" + POD + "...\n",
        "---\n---\n" + POD + "---\n# nothing\n",
        POD.replace("kind: Pod", "kind: !!str Pod"),
        "# é ✓\n" + POD,
    ],
)
def test_texts_that_are_good(tmp_path: Path, text: str) -> None:
    assert problems_of(write_folder(tmp_path / "home", text)) == []


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("env: [{name: A, value: no}]", 'text if quoted: "no"'),
        ("env: [{name: A, value: on}]", ""),
        ("env: [{name: A, value: 0777}]", ""),
        ("env: [{name: A, value: 1e3}]", ""),
        ("env: [{name: A, value: !!binary aGk=}]", "the YAML tag !!binary is not honoured here"),
        ("env: [{name: A, value: !custom x}]", "the YAML tag !custom is not honoured here"),
        ("env: [{name: A, value: !!timestamp 2026-11-21}]", "!!timestamp is not honoured here"),
        ("image: j", "`image` is given twice"),
        ("securityContext: {runAsNonRoot: 'yes'}", "must be true or false"),
    ],
)
def test_values_that_yaml_takes_for_something_else(tmp_path: Path, field: str, words: str) -> None:
    pod = POD.replace("image: i}", f"image: i, {field}}}")
    (found,) = problems_of(write_folder(tmp_path / "home", pod))
    assert found.startswith("pods/w.yaml:6:")
    if not words.startswith("text if quoted"):
        assert words in found
    assert "value" not in field or "!" in field or "quote it: " in found


@pytest.mark.parametrize(
    ("field", "environment"),
    [("value: 12:30:45", "12:30:45"), ("value: 2026-11-21", "2026-11-21"), ("value: NO1", "NO1")],
)
def test_what_looks_like_something_and_is_text_to_kubectl(
    tmp_path: Path, field: str, environment: str
) -> None:
    pod = POD.replace("image: i}", f"image: i, env: [{{name: A, {field}}}]}}")
    cloud = load_cloud(write_folder(tmp_path / "home", pod))
    assert cloud.workloads["w"].spec.containers[0].env[0].value == environment


@pytest.mark.parametrize(("mode", "bits"), [("0644", 0o644), ("0o644", 0o644), ("420", 420)])
def test_modes_in_octal(tmp_path: Path, mode: str, bits: int) -> None:
    pod = (
        POD
        + f"  volumes: [{{name: v, configMap: {{name: x, optional: true, defaultMode: {mode}}}}}]\n"
    )
    cloud = load_cloud(write_folder(tmp_path / "home", pod))
    volume = cloud.workloads["w"].spec.volumes[0].config_map
    assert volume is not None
    assert volume.default_mode == bits


def test_merge_keys_are_honoured_as_kubectl_does(tmp_path: Path) -> None:
    """A key of one's own counts before a merged one, of merged ones the first."""
    cloud = (
        "name: home\nx-a: &a {ssh: a, zone: one}\nx-b: &b {vendor: v, zone: two}\n"
        "nodes:\n  n: {<<: [*a, *b], ssh: own}\nrun: {}\n"
    )
    node = load_cloud(write_folder(tmp_path / "home", cloud=cloud)).nodes["n"]
    assert (node.ssh, node.zone, node.vendor) == ("own", "one", "v")
