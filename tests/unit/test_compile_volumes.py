"""Volumes: what is projected where, and the scripts that make folders, run by a real shell."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from posixpath import normpath
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.compile.lock import Lock
from skerry.compile.runtimes.mounts import compile_mounts, needed_kernel
from skerry.compile.runtimes.projection import check_paths, select_keys
from skerry.compile.runtimes.sources import Instance, Sources
from skerry.compile.runtimes.storage import (
    claim_folders,
    compile_host_path,
    compile_storage,
    make_sub_path,
    pod_folders,
)
from skerry.errors import Problem
from skerry.model.cloud import Cloud, Node, Placement, Workload
from skerry.model.configmap import ConfigMap
from skerry.model.origin import Origin
from skerry.model.pod import Pod
from skerry.model.volume import HostPathVolumeSource, KeyToPath

CONFIG = msgspec.convert(
    {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "page"},
        "data": {"a": "1", "b": "2"},
    },
    ConfigMap,
)


def instance(
    volumes: list[dict[str, Any]], mounts: list[dict[str, Any]], **spec: Any
) -> tuple[Instance, Sources]:
    container = {"name": "c", "image": "i", "volumeMounts": mounts}
    manifest = msgspec.convert(
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": "x"},
            "spec": {"containers": [container], "volumes": volumes, **spec},
        },
        Pod,
    )
    workload = Workload(
        name="web",
        placement=Placement(pod="p"),
        manifest=manifest,
        nodes=("alpha",),
        replicas=1,
    )
    cloud = Cloud(
        name="home",
        nodes={"alpha": Node(ssh="root@203.0.113.1")},
        workloads={"web": workload},
        config_maps={"page": CONFIG},
    )
    return Instance(cloud="home", workload=workload, ordinal=0, node="alpha"), Sources(
        cloud, Lock()
    )


def mounted(
    volume: dict[str, Any], *, sub_path: str | None = None, **spec: Any
) -> tuple[list[str], dict[str, tuple[bytes, int, str]], list[str]]:
    """The words of the mount, the files by path, and the problems."""
    mount = {"name": "v", "mountPath": "/v", **({"subPath": sub_path} if sub_path else {})}
    one, sources = instance([{"name": "v", **volume}], [mount], **spec)
    problems: list[Problem] = []
    (container,) = one.workload.spec.containers
    found = compile_mounts(one, container, sources, problems)
    files = {
        path: (owned.file.content, owned.file.mode, owned.file.owner)
        for path, owned in found.files.items()
    }
    return (
        [value for _, value in found.container],
        files,
        [problem.message for problem in problems],
    )


def test_whole_config_maps_share_a_folder_and_others_do_not() -> None:
    shared = {"configMap": {"name": "page"}}
    folder = "/etc/skerry/config/page"
    assert mounted(shared)[0] == [f"{folder}:/v:ro,z,idmap"]
    assert mounted(shared, sub_path="a")[0] == [f"{folder}/a:/v:ro,z,idmap"]
    own = "/etc/skerry/pods/skerry-web.0/v"
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"configMap": {"name": "page", "defaultMode": 0o600}}, {}),
        ({"configMap": {"name": "page", "items": [{"key": "a", "path": "a"}]}}, {}),
        (shared, {"securityContext": {"fsGroup": 7}}),
        ({"projected": {"sources": [{"configMap": {"name": "page"}}]}}, {}),
    ]
    for volume, spec in cases:
        words, files, problems = mounted(volume, **spec)
        assert (words, problems) == ([f"{own}:/v:ro,z,idmap"], [])
        assert f"{own}/a" in files


def test_modes_and_the_group() -> None:
    items = [{"key": "a", "path": "x//y", "mode": 0o400}, {"key": "b", "path": "b"}]
    volume = {"configMap": {"name": "page", "items": items, "defaultMode": 0o440}}
    own = "/etc/skerry/pods/skerry-web.0/v"
    assert mounted(volume)[1] == {
        f"{own}/x/y": (b"1", 0o400, "root:root"),
        f"{own}/b": (b"2", 0o440, "root:root"),
    }
    assert mounted(volume, securityContext={"fsGroup": 7})[1] == {
        f"{own}/x/y": (b"1", 0o440, "root:7"),
        f"{own}/b": (b"2", 0o440, "root:7"),
    }


def test_sub_path_of_a_file_that_is_not_there_is_a_problem() -> None:
    volume = {"configMap": {"name": "page", "items": [{"key": "a", "path": "x/y"}]}}
    assert mounted(volume, sub_path="x")[2] == []
    assert mounted(volume, sub_path="./x/y/")[2] == []
    assert mounted(volume, sub_path="x/y/z")[2] == ["volume 'v' has nothing at 'x/y/z'"]
    assert mounted({"configMap": {"name": "page"}}, sub_path="c")[2] == [
        "volume 'v' has nothing at 'c'"
    ]


def test_what_is_optional_and_not_there() -> None:
    gone = {"configMap": {"name": "gone", "optional": True}}
    assert mounted(gone) == (["/var/lib/skerry/empty:/v:ro,z,idmap"], {}, [])
    # Of an empty volume there is nothing to be mounted in the place of the image's own.
    assert mounted(gone, sub_path="a") == ([], {}, [])
    items = [{"key": "a", "path": "a"}, {"key": "gone", "path": "g"}]
    some: dict[str, dict[str, Any]] = {"configMap": {"name": "page", "items": items}}
    assert mounted(some)[2] == ["volume 'v': ConfigMap 'page' has no key 'gone'"]
    some["configMap"]["optional"] = True
    words, files, problems = mounted(some)
    assert (len(words), len(files), problems) == (1, 1, [])
    assert "there is no ConfigMap 'gone'" in mounted({"configMap": {"name": "gone"}})[2][0]


def test_files_of_two_sources_do_not_hide_each_other() -> None:
    page = {"configMap": {"name": "page"}}
    below = {"configMap": {"name": "page", "items": [{"key": "b", "path": "a/b"}]}}
    assert mounted({"projected": {"sources": [page, page]}})[2] == [
        "volume 'v': two of its files have the path 'a'",
        "volume 'v': two of its files have the path 'b'",
    ]
    assert mounted({"projected": {"sources": [page, below]}})[2] == [
        "volume 'v': 'a' is a file, and the folder of 'a/b'"
    ]


PATHS = st.lists(st.sampled_from(["a", "b", "..c", ".", "d.e"]), min_size=1, max_size=4)


@given(st.lists(PATHS.map("/".join).filter(lambda path: normpath(path) != "."), max_size=6))
def test_paths_without_a_problem_can_all_be_made(paths: list[str]) -> None:
    paths = [normpath(path) for path in paths]
    problems = list(check_paths("v", [(path, Origin()) for path in paths]))
    with tempfile.TemporaryDirectory() as name:
        made = set()
        try:
            for path in paths:
                (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(name) / path).touch(exist_ok=False)
                made.add(path)
        except OSError:
            assert problems
        else:
            assert not problems


@given(st.dictionaries(st.sampled_from("abc"), st.binary(max_size=2)), st.data())
def test_items_choose_keys_and_name_them(contents: dict[str, bytes], draw: st.DataObject) -> None:
    items = draw.draw(
        st.lists(st.builds(KeyToPath, key=st.sampled_from("abcd"), path=st.just("p")), max_size=4)
    )
    found = [(entry.path, entry.content) for entry in select_keys(contents, items, Origin())]
    if items:
        assert found == [("p", contents[item.key]) for item in items if item.key in contents]
    else:
        assert dict(found) == contents


@pytest.mark.parametrize(
    ("volume", "spec", "kernel"),
    [
        ({"emptyDir": {}}, {}, (5, 12)),
        ({"emptyDir": {"medium": "Memory"}}, {}, (6, 3)),
        ({"emptyDir": {"medium": "Memory"}}, {"hostNetwork": True}, (4, 18)),
        ({"hostPath": {"path": "/run/x.sock", "type": "Socket"}}, {}, (6, 3)),
        ({"hostPath": {"path": "/srv"}}, {}, (5, 12)),
    ],
)
def test_needed_kernel(
    volume: dict[str, Any], spec: dict[str, Any], kernel: tuple[int, int]
) -> None:
    one, _ = instance([{"name": "v", **volume}], [{"name": "v", "mountPath": "/v"}], **spec)
    assert needed_kernel(one.workload.spec) == kernel


@pytest.mark.parametrize(
    ("limit", "memory", "size"),
    [
        ("3Mi", "64Mi", f"size={3 << 20},"),
        ("3Gi", "64Mi", f"size={64 << 20},"),
        (None, "64Mi", f"size={64 << 20},"),
        (0, None, ""),
        (None, None, ""),
        ("3Gi", None, f"size={3 << 30},"),
    ],
)
def test_size_of_an_empty_dir_in_memory(limit: str | None, memory: str | None, size: str) -> None:
    source = {"medium": "Memory", **({"sizeLimit": limit} if limit is not None else {})}
    one, _ = instance([{"name": "v", "emptyDir": source}], [])
    container = one.workload.spec.containers[0]
    if memory is not None:
        limits = msgspec.structs.replace(container.resources.limits, memory=memory)
        resources = msgspec.structs.replace(container.resources, limits=limits)
        container = msgspec.structs.replace(container, resources=resources)
    manifest = one.workload.manifest
    assert isinstance(manifest, Pod)
    spec = msgspec.structs.replace(manifest.spec, containers=(container,))
    workload = msgspec.structs.replace(
        one.workload, manifest=msgspec.structs.replace(manifest, spec=spec)
    )
    ((_, line),) = compile_storage(msgspec.structs.replace(one, workload=workload))
    assert line.endswith(f" {size}mode=0777,nosuid,nodev")


def test_folders_that_go_and_folders_that_stay() -> None:
    one, _ = instance(
        [
            {"name": "a", "emptyDir": {}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "z"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "y"}},
            {"name": "d", "configMap": {"name": "page"}},
        ],
        [],
    )
    assert pod_folders(one) == ("/var/lib/skerry/volumes/skerry-web.0.a",)
    assert claim_folders(one) == ("/var/lib/skerry/claims/y", "/var/lib/skerry/claims/z")


def run_line(line: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a line of a unit as systemd would split it."""
    assert line[0] == "ExecStartPre"
    words = shlex.split(line[1].replace("$$", "$").replace("%%", "%"))
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("sub_path", "made"),
    [("x", "x"), ("x/y", "x/y"), ("in", "there"), ("in/x", "there/x"), ("x y/$z", "x y/$z")],
)
def test_sub_path_is_made_as_the_volume_is(tmp_path: Path, sub_path: str, made: str) -> None:
    volume = tmp_path / "volume"
    (volume / "there").mkdir(parents=True)
    (volume / "in").symlink_to("there")
    volume.chmod(0o750)
    finished = run_line(make_sub_path(str(volume), sub_path))
    assert finished.returncode == 0, finished.stderr
    assert (volume / made).is_dir()
    if sub_path != "in":
        assert (volume / made).stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("link", ["/etc", "..", "../other", "/"])
def test_sub_path_that_leads_out_of_its_volume_is_refused(tmp_path: Path, link: str) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "volume/out").symlink_to(link)
    finished = run_line(make_sub_path(str(tmp_path / "volume"), "out/x"))
    assert finished.returncode == 1
    assert "subPath out/x leads out of its volume" in finished.stderr
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "other/x").exists()


def make_socket(path: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(str(path))


MAKERS: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "file": Path.touch,
    "socket": make_socket,
    "nothing": lambda path: None,
}
FITS = {
    "": set(MAKERS),
    "DirectoryOrCreate": {"folder", "nothing"},
    "Directory": {"folder"},
    "FileOrCreate": {"file", "nothing"},
    "File": {"file"},
    "Socket": {"socket"},
    "CharDevice": set(),
    "BlockDevice": set(),
}


@pytest.mark.parametrize("kind", FITS)
@pytest.mark.parametrize("there", MAKERS)
def test_host_path_is_what_its_type_says(tmp_path: Path, kind: Any, there: str) -> None:
    path = tmp_path / "it"
    MAKERS[there](path)
    lines = list(compile_host_path(HostPathVolumeSource(path=str(path), type=kind)))
    finished = [run_line(line) for line in lines]
    assert all(one.returncode == 0 for one in finished) == (there in FITS[kind])
    if kind.endswith("OrCreate") and there == "nothing":
        assert path.is_file() if kind.startswith("File") else path.is_dir()


def test_group_is_given_what_is_in_the_folder_and_nothing_else(tmp_path: Path) -> None:
    one, _ = instance(
        [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
        [],
        securityContext={"fsGroup": os.getgid()},
    )
    _, (key, line) = compile_storage(one)
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    (volume / "folder").mkdir(parents=True)
    outside.touch(0o600)
    (volume / "folder/file").touch(0o604)
    (volume / "run").touch(0o755)
    (volume / "-rf").touch(0o600)
    (volume / "link").symlink_to(outside)
    finished = run_line((key, line.replace("/var/lib/skerry/claims/c", str(volume))))
    assert (finished.returncode, finished.stderr) == (0, "")
    modes = {path.name: path.stat().st_mode & 0o7777 for path in [volume, *volume.rglob("*")]}
    # Linux drops the bit for the group where the one who sets it is not of it; root may.
    assert modes == {
        "volume": 0o2775,
        "folder": 0o2775,
        "file": 0o664,
        "run": 0o775,
        "-rf": 0o660,
        "link": 0o600,
    }
