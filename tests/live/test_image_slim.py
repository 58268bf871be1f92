"""Images of only what their workloads need, made of real images and run by real exercises."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image

from skerry.edge.paths import cache_folder
from skerry.edge.run import Command, Finished, run
from skerry.images.archive import write_archive
from skerry.images.debian import Debian
from skerry.images.podman import try_inspect
from skerry.images.slim.layer import write_layer_of
from skerry.images.slim.root import DiskRoot
from skerry.images.slim.slimming import open_source

PREFIX = f"skerry-test-{os.getpid()}-slim"


@pytest.fixture(scope="module")
def debian() -> str:
    """Debian's minimal root as an image, by its name."""
    return Debian(cache_folder() / "images", say=print).ensure()[0]


@pytest.fixture
def made() -> Iterator[str]:
    """The name of an image that goes afterwards."""
    name = f"{PREFIX}:made"
    yield name
    run(Command.of("podman", "image", "rm", "--ignore", "--force", f"localhost/{name}"))


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Makes an image of a folder with this configuration; its name."""
    names: list[str] = []

    def make(folder: Path, **config: object) -> str:
        name = f"localhost/{PREFIX}-{len(names)}"
        layer, archive = tmp_path / "layer.tar", tmp_path / "image.tar"
        paths = ["/" + str(path.relative_to(folder)) for path in folder.rglob("*")]
        write_layer_of(DiskRoot(folder), paths, layer)
        write_archive(archive, [layer], f"{name}:latest", config=config)
        run(Command.of("podman", "load", "--quiet", "--input", archive))
        names.append(name)
        return name

    yield make
    for name in names:
        run(Command.of("podman", "image", "rm", "--ignore", "--force", name))


def skerry(*words: str, expect: int = 0) -> Finished:
    """`skerry image`, as a person runs it."""
    finished = run(Command.of(sys.executable, "-m", "skerry", "image", *words), check=False)
    assert finished.status == expect, f"{finished.text}\n{finished.error_text}"
    return finished


def kept(name: str) -> set[str]:
    """The files in an image: neither folders nor links."""
    with open_source(f"localhost/{name}") as source:
        return {
            "/" + str(path.relative_to(source.folder))
            for path in source.folder.rglob("*")
            if path.is_file() and not path.is_symlink()
        }


def busybox_root(folder: Path) -> Path:
    """A root file system with Debian's static busybox, some of its names, and pages."""
    root = folder / "busybox"
    for name in ("bin", "etc", "www", "var/cache", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (root / "bin/busybox").chmod(0o755)
    for name in ("sh", "httpd", "cat", "id", "touch"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nweb:x:123:456::/:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nweb:x:456:\nmore:x:789:web\n")
    for name in ("index.html", "other.html", "never.html"):
        (root / "www" / name).write_text(name)
    return root


def test_a_static_program(made: str) -> None:
    build_busybox_image()
    skerry("slim", BUSYBOX_IMAGE, "--as", made, "--preset", "none", "--", "true")
    assert kept(made) == {"/bin/busybox"}


def test_bash(debian: str, made: str) -> None:
    script = (
        "cd /etc; for i in 1 2; do echo $i; done; printf 'x\\n' | while read y; do echo $y; done"
    )
    answer = json.loads(
        run(
            Command.of(
                sys.executable, "-m", "skerry", "--json", "image", "slim", debian, "--as", made,
                "--", "bash", "-c", script,
            )
        ).stdout
    )  # fmt: skip
    assert answer["before"] > 70e6 and answer["size"] < 7.5e6
    assert "/usr/bin/bash" in kept(made) and "/usr/bin/ls" not in kept(made)
    told = skerry("why", made, "/bin/bash").text
    assert told.startswith("/bin/bash is /usr/bin/bash: touched by bash -c")
    assert "library of" in skerry("why", made, "/usr/lib/x86_64-linux-gnu/libtinfo.so.6").text or (
        "touched by" in skerry("why", made, "/usr/lib/x86_64-linux-gnu/libtinfo.so.6").text
    )
    assert "not kept" in skerry("why", made, "/usr/bin/ls").text


def test_perl_with_modules(debian: str, made: str) -> None:
    script = "use POSIX; use List::Util 'sum'; print strftime('%Y', gmtime(0)), sum(1, 2)"
    skerry("slim", debian, "--as", made, "--", "perl", "-e", script)
    found = kept(made)
    assert any(path.endswith("/POSIX.so") for path in found)
    image = try_inspect(f"localhost/{made}")
    assert image is not None and image.size < 12e6


def test_a_server_is_asked_signalled_and_stopped(
    tmp_path: Path, build: Callable[..., str], made: str
) -> None:
    script = "trap : HUP; trap 'exit 0' TERM; touch /var/cache/up; httpd -f -p 8080 -h /www & "
    script += "while :; do wait; done"
    config = {
        "Cmd": ["sh", "-c", script], "Env": ["PATH=/bin", "A=b c"], "User": "root",
        "ExposedPorts": {"8080/tcp": {}}, "Labels": {"mine": "yes"}, "WorkingDir": "/var",
    }  # fmt: skip
    name = build(busybox_root(tmp_path), **config)
    words = ("--http", "8080/index.html", "--tcp", "8080", "--signal", "hup")
    more = ("--command", "cat /www/other.html", "--preset", "none")
    skerry("slim", name, "--as", made, *words, *more)
    # What was asked for, by HTTP and by hand; what the server itself made is not there.
    assert kept(made) == {"/bin/busybox", "/www/index.html", "/www/other.html"}
    with open_source(f"localhost/{made}") as slim, open_source(name) as whole:
        assert slim.config == whole.config
        # A folder that a file is made in has to be there.
        assert (slim.folder / "var/cache").is_dir()


def test_it_runs_as_the_images_user(tmp_path: Path, build: Callable[..., str], made: str) -> None:
    name = build(busybox_root(tmp_path), Cmd=["sh", "-c", 'id; [ "$(id -u)" = 123 ]'], User="web")
    skerry("slim", name, "--as", made)
    assert "/etc/passwd" in kept(made)
    said = skerry("slim", name, "--as", made, "--", "sh", "-c", "id; exit 1", expect=2).error_text
    assert "uid=123(web) gid=456(web) groups=" in said and "789(more)" in said


def test_an_exercise_that_fails_makes_no_image(debian: str, made: str) -> None:
    said = skerry("slim", debian, "--as", made, "--", "sh", "-c", "exit 3", expect=2).error_text
    assert "fails with the whole image: status 3" in said
    library = "/usr/lib/*/libtinfo.so*"
    words = ("slim", debian, "--as", made, "--drop", library, "--", "bash", "-c", "true")
    said = skerry(*words, expect=2).error_text
    assert "fails with what was kept: status 127" in said
    assert "looked for, and not kept:" in said and "libtinfo.so.6" in said
    assert try_inspect(f"localhost/{made}") is None


def test_nobody_listens(tmp_path: Path, build: Callable[..., str], made: str) -> None:
    name = build(busybox_root(tmp_path), Cmd=["sh", "-c", "while :; do :; done"], Env=["PATH=/bin"])
    words = ("slim", name, "--as", made, "--http", "8080", "--within", "1")
    said = skerry(*words, expect=2).error_text
    assert "nothing listened on port 8080 within the time" in said


def test_what_is_wrong_with_the_words_is_said(debian: str) -> None:
    assert "no image localhost/gone here" in skerry("slim", "gone", expect=2).error_text
    said = skerry("slim", debian, "--http", "x/y", "--", "true", expect=2).error_text
    assert "--http x/y: no port" in said
    said = skerry("slim", debian, "--keep", "/gone/**", "--", "true", expect=2).error_text
    assert "nothing in" in said and "/gone/**" in said
    assert "was not made by" in skerry("why", "gone", "/bin/sh", expect=2).error_text


def test_nothing_is_left_and_nothing_is_changed(debian: str, made: str) -> None:
    with open_source(debian) as before:
        names = sorted(str(path) for path in before.folder.iterdir())
    temporary = sorted(path.name for path in Path("/tmp").glob("skerry-*"))
    script = "rm -rf /usr/share; echo x >/new; mkdir /made; sleep 60 &"
    skerry("slim", debian, "--as", made, "--", "sh", "-c", script)
    with open_source(debian) as after:
        assert sorted(str(path) for path in after.folder.iterdir()) == names
        assert (after.folder / "usr/share").is_dir()
    assert sorted(path.name for path in Path("/tmp").glob("skerry-*")) == temporary
    mounted = Path("/proc/self/mounts").read_text()
    assert "skerry-exercise-" not in mounted
