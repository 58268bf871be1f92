"""Cloud folders and the trees that they compile to, file by file as on the nodes.

A case is a folder of ``cases/``: ``cloud/`` is a cloud folder, ``expected/NODE/`` holds the node's
files by their paths and ``units.txt``, or ``expected/problems.txt`` what is wrong with the cloud.
After a wanted change: ``pytest tests/golden --update-golden``, and read the diff.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from skerry.compile.cloud import compile_cloud
from skerry.compile.lock import Lock, ResolvedImage
from skerry.compile.tree import Tree, Unit
from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud
from skerry.model.cloud import Cloud

CASES = Path(__file__).parent / "cases"
# An image of this name is one that nobody has built.
UNBUILT = "localhost/unbuilt"


def lock_of(cloud: Cloud) -> Lock:
    """An image for every reference: its id begins with the reference in hexadecimal."""
    references = {
        container.image
        for workload in cloud.workloads.values()
        for container in workload.spec.containers
    }
    return Lock(
        images={
            reference: ResolvedImage(id=reference.encode().hex().ljust(64, "0")[-64:], size=1)
            for reference in sorted(references - {UNBUILT})
        }
    )


def compile_case(folder: Path) -> dict[str, bytes]:
    """What a case compiles to: contents by path below ``expected/``."""
    cloud = load_cloud(folder / "cloud")
    try:
        trees = compile_cloud(cloud, lock_of(cloud))
    except CloudInvalid as error:
        return {"problems.txt": "".join(f"{one}\n" for one in error.problems).encode()}
    found = {}
    for name, tree in trees.items():
        found[f"{name}/units.txt"] = render_units(tree).encode()
        for path, file in tree.files.items():
            found[f"{name}{path}"] = file.content
    return found


def render_units(tree: Tree) -> str:
    """The units of a tree, with those of their fields that are not the default."""
    lines = []
    for name, unit in sorted(tree.units.items()):
        lines.append(name)
        for field in Unit.__struct_fields__:
            value = getattr(unit, field)
            if value not in ((), "", None, False):
                lines.append(
                    f"    {field}: {' '.join(value) if value.__class__ is tuple else value}"
                )
    lines += [
        f"image {image_id} {reference}" for image_id, reference in sorted(tree.images.items())
    ]
    lines += [
        f"file {path} {file.mode:04o} {file.owner}"
        for path, file in sorted(tree.files.items())
        if (file.mode, file.owner) != (0o644, "root:root")
    ]
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_tree_is_as_expected(case: str, request: pytest.FixtureRequest) -> None:
    expected = CASES / case / "expected"
    found = compile_case(CASES / case)
    if request.config.getoption("--update-golden", default=False):
        shutil.rmtree(expected, ignore_errors=True)
        for path, content in found.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_bytes(content)
    there = {
        str(path.relative_to(expected)): path.read_bytes()
        for path in expected.rglob("*")
        if path.is_file()
    }
    assert sorted(found) == sorted(there)
    for path, content in found.items():
        assert content.decode() == there[path].decode(), path
