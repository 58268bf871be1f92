"""Layers and archives: the same content gives the same bytes, and differences are exact."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from skerry.images.archive import Entry, write_archive, write_layer
from skerry.images.context import copy_sources, read_sources_digest
from skerry.images.difference import write_difference

ENTRIES = {
    "etc/": Entry(mode=0o755),
    "etc/hosts": Entry(b"127.0.0.1 localhost\n"),
    "bin/": Entry(mode=0o755),
    "bin/sh": Entry(link="busybox"),
    "tmp/": Entry(mode=0o1777),
}


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {member.name: member for member in tar}


def write_tar(path: Path, *entries: tuple[str, bytes | str | None, int]) -> None:
    """Entries: (name, content; a folder if None; a hard link's target if text; mode)."""
    with tarfile.open(path, "w") as tar:
        for name, content, mode in entries:
            member = tarfile.TarInfo(f"./{name}")
            member.mode = mode
            if content is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.LNKTYPE, f"./{content}"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content if isinstance(content, bytes) else b""))


def test_a_layer_does_not_depend_on_order_or_time(tmp_path: Path) -> None:
    write_layer(tmp_path / "one", ENTRIES)
    write_layer(tmp_path / "two", dict(reversed(ENTRIES.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = members(tmp_path / "one")
    assert found["tmp"].isdir() and found["tmp"].mode == 0o1777
    assert found["bin/sh"].issym() and found["bin/sh"].linkname == "busybox"
    assert all(member.mtime == 0 and member.uid == 0 for member in found.values())


@pytest.mark.claims("images-by-id")
def test_an_image_id_is_the_digest_of_its_configuration(tmp_path: Path) -> None:
    layers = [tmp_path / "lower", tmp_path / "upper"]
    for layer in layers:
        write_layer(layer, {layer.name: Entry(b"x")})
    image_id = write_archive(
        tmp_path / "image", layers, "localhost/x:latest", config={"Cmd": ["/bin/sh"]}
    )
    with tarfile.open(tmp_path / "image") as tar:
        blobs = {
            name: file.read()
            for name in tar.getnames()
            if (file := tar.extractfile(name)) is not None
        }
    for name, content in blobs.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    index = json.loads(blobs["index.json"])
    manifest = json.loads(blobs["blobs/" + index["manifests"][0]["digest"].replace(":", "/")])
    assert manifest["config"]["digest"] == f"sha256:{image_id}"
    configuration = json.loads(blobs[f"blobs/sha256/{image_id}"])
    digests = [f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in layers]
    assert configuration["rootfs"]["diff_ids"] == digests
    assert [layer["digest"] for layer in manifest["layers"]] == digests
    assert configuration["config"] == {"Cmd": ["/bin/sh"]}


def test_a_difference_has_what_changed_and_the_folders_above(tmp_path: Path) -> None:
    old, new, layer = tmp_path / "old", tmp_path / "new", tmp_path / "layer"
    write_tar(
        old,
        (".", None, 0o755), ("tmp", None, 0o1777), ("etc", None, 0o755),
        ("etc/same", b"same", 0o644), ("etc/content", b"1234", 0o644), ("etc/mode", b"m", 0o644),
        ("etc/gone", b"g", 0o644), ("old", None, 0o755), ("old/inner", b"i", 0o644),
    )  # fmt: skip
    write_tar(
        new,
        (".", None, 0o755), ("tmp", None, 0o1777), ("tmp/new", b"n", 0o600), ("etc", None, 0o755),
        ("etc/same", b"same", 0o644), ("etc/content", b"1235", 0o644), ("etc/mode", b"m", 0o755),
        ("usr", None, 0o755),
    )  # fmt: skip
    write_difference(old, new, layer)
    found = members(layer)
    assert set(found) == {
        ".", "tmp", "tmp/new", "etc", "etc/content", "etc/mode", "usr", "etc/.wh.gone", ".wh.old",
    }  # fmt: skip
    assert found["tmp"].mode == 0o1777
    assert found["etc/mode"].mode == 0o755
    assert found["etc/.wh.gone"].size == 0
    with tarfile.open(layer) as tar:
        content = tar.extractfile("etc/content")
        assert content is not None and content.read() == b"1235"


def test_equal_roots_differ_in_nothing(tmp_path: Path) -> None:
    write_tar(tmp_path / "one", ("etc", None, 0o755), ("etc/a", b"a", 0o644))
    write_difference(tmp_path / "one", tmp_path / "one", tmp_path / "layer")
    assert members(tmp_path / "layer") == {}


def test_hard_links_stay_within_a_layer(tmp_path: Path) -> None:
    write_tar(tmp_path / "old", ("a", b"below", 0o755))
    write_tar(
        tmp_path / "new",
        ("a", b"below", 0o755),
        ("to-below", "a", 0o755),
        ("b", b"new", 0o644),
        ("to-new", "b", 0o644),
    )
    write_difference(tmp_path / "old", tmp_path / "new", tmp_path / "layer")
    found = members(tmp_path / "layer")
    assert found["to-below"].isreg() and found["to-below"].size == len(b"below")
    assert found["to-new"].islnk() and found["to-new"].linkname == "b"
    assert "a" not in found


def test_a_digest_of_sources_is_about_content(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    (folder / "sub").mkdir(parents=True)
    (folder / "run").write_text("echo")
    (folder / "link").symlink_to("run")
    before = read_sources_digest(folder)
    os.utime(folder / "run", (1, 1))
    (folder / "run").chmod(0o600)
    assert read_sources_digest(folder) == before
    seen = {before}

    def is_new() -> bool:
        digest = read_sources_digest(folder)
        is_first = digest not in seen
        seen.add(digest)
        return is_first

    (folder / "run").chmod(0o755)
    assert is_new()
    (folder / "run").write_text("echo 2")
    assert is_new()
    (folder / "sub/empty").write_text("")
    assert is_new()
    (folder / "link").unlink()
    (folder / "link").symlink_to("sub")
    assert is_new()
    (folder / "sub/empty").rename(folder / "sub/other")
    assert is_new()


def test_copied_sources_have_modes_of_nobodys_umask(tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir(mode=0o700)
    for name, mode in (("private", 0o600), ("shared", 0o664), ("tool", 0o700)):
        (folder / name).write_text(name)
        (folder / name).chmod(mode)
    (folder / "dangling").symlink_to("nowhere")
    copy_sources(folder, tmp_path / "copy")
    modes = {path.name: path.lstat().st_mode & 0o777 for path in (tmp_path / "copy").iterdir()}
    assert modes == {"private": 0o644, "shared": 0o644, "tool": 0o755, "dangling": 0o777}
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o755
    assert str((tmp_path / "copy/dangling").readlink()) == "nowhere"
