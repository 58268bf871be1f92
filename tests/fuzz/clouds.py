"""Cloud folders: those of the golden tests and examples, with something wrong in them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.fuzz import damage, hostile
from tests.fuzz.typed import make
from tests.unit.sources import ROOT

# A file's documents, or its text where it is none of ours to change.
Files = dict[str, list[Any] | bytes]
CASES = ROOT / "tests/golden/cases"
NODES = {
    "alpha": {"ssh": "root@alpha.example.com", "vendor": "hetzner", "labels": {"disk": "ssd"}},
    "beta": {
        "ssh": "beta",
        "port": 2222,
        "identity-file": "~/.ssh/key",
        "zone": "eu",
        "memory": "2Gi",
        "taints": [{"key": "gpu", "value": "a", "effect": "NoSchedule"}],
    },
    "gamma": {"ssh": "skerry@198.18.1.12", "zone": "us", "cordon": ["web"]},
}


@cache
def good_folders() -> dict[str, Files]:
    """The folders of the golden tests that compile, by name."""
    return {
        case.name: {
            path.relative_to(case / "cloud").as_posix(): list(yaml.safe_load_all(path.read_bytes()))
            if path.suffix == ".yaml" and path.name != "secrets.yaml"
            else path.read_bytes()
            for path in sorted((case / "cloud").rglob("*"))
            if path.is_file()
        }
        for case in sorted(CASES.iterdir())
        if not (case / "expected/problems.txt").exists()
    }


@st.composite
def damaged_folders(draw: st.DrawFn) -> Files:
    """A good folder with one thing wrong in one of its documents."""
    files = dict(good_folders()[draw(st.sampled_from(sorted(good_folders())))])
    name = draw(st.sampled_from([one for one, it in files.items() if isinstance(it, list)]))
    documents = list(files[name])
    index = draw(st.integers(0, len(documents) - 1))
    documents[index] = draw(damage.one_thing_wrong(documents[index], hostile.values))
    return {**files, name: documents}


@st.composite
def hostile_folders(draw: st.DrawFn) -> Files:
    """A good folder with hostile texts in place of some of its own, keys included."""
    files = dict(good_folders()[draw(st.sampled_from(sorted(good_folders())))])
    name = draw(st.sampled_from([one for one, it in files.items() if isinstance(it, list)]))
    documents = list(files[name])
    index = draw(st.integers(0, len(documents) - 1))
    documents[index] = draw(damage.hostile_text_in(documents[index]))
    return {**files, name: documents}


@st.composite
def made_folders(draw: st.DrawFn) -> Files:
    """A folder with manifests that are made from the model's types alone."""
    dice = Random(draw(st.integers(0, 2**32)))
    kinds = ["Pod", "Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob"]
    shared = ["ConfigMap", "Secret", "PersistentVolumeClaim", "Service"]
    kind = draw(st.sampled_from(kinds))
    documents = [make(kind, dice), *(make(draw(st.sampled_from(shared)), dice) for _ in range(2))]
    cloud = {"name": "home", "nodes": NODES, "run": {"web": {"pod": "pods/web.yaml"}}}
    return {"cloud.yaml": [cloud], "pods/web.yaml": documents}


@st.composite
def placed_folders(draw: st.DrawFn) -> Files:
    """A good manifest with a cloud.yaml of nodes, placements, spread and taints that may be odd."""
    placement = {
        "pod": "pods/web.yaml",
        "nodes": draw(st.lists(st.sampled_from(["alpha", "be*", "*", "x"]), min_size=1)),
        "replicas": draw(st.sampled_from([0, 1, 2, 7, 300, 10_001, -1, 10**9, "2"])),
        "spread": draw(st.sampled_from(["vendor", "zone", "name", "disk", "nothing", ""])),
    }
    kept = draw(st.sets(st.sampled_from(sorted(placement)), max_size=3)) | {"pod"}
    cloud = {
        "name": "home",
        "nodes": NODES,
        "run": {"web": {key: placement[key] for key in sorted(kept)}},
    }
    if draw(st.booleans()):
        cloud = draw(damage.one_thing_wrong(cloud, hostile.values))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {
            "containers": [
                {
                    "name": "web",
                    "image": "localhost/web",
                    "resources": {"requests": {"memory": draw(hostile.texts)}}
                    if draw(st.booleans())
                    else {},
                }
            ],
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
        },
    }
    return {"cloud.yaml": [cloud], "pods/web.yaml": [pod]}


@contextmanager
def on_disk(files: Files) -> Iterator[Path]:
    """The folder on a disk in memory, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not isinstance(content, bytes):
                content = b"\n---\n".join(map(damage.dump, content))
            path.write_bytes(content)
        yield folder
    finally:
        shutil.rmtree(folder)
