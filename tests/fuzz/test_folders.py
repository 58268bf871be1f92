"""Whatever a folder holds: a cloud or its problems, and never anything else."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.compile.cloud import compile_cloud
from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud, load_nodes
from skerry.model.cloud import Cloud
from skerry.render.errors import render_error
from skerry.render.text import visible
from tests.fuzz import damage
from tests.fuzz.clouds import (
    Files,
    damaged_folders,
    good_folders,
    hostile_folders,
    made_folders,
    on_disk,
    placed_folders,
)
from tests.fuzz.counting import cases, count
from tests.fuzz.trees import check_tree
from tests.golden.test_trees import lock_of


def try_load(files: Files) -> Cloud | None:
    """The cloud; None after its problems were found to be ones that can be shown."""
    with on_disk(files) as folder:
        try:
            load_nodes(folder)
        except CloudInvalid as error:
            check_shown(error)
        try:
            loaded = load_cloud(folder)
        except CloudInvalid as error:
            check_shown(error)
            return None
    return loaded


def check_shown(error: CloudInvalid) -> None:
    """Each problem is one line, whatever the file's texts, and JSON is JSON."""
    assert error.problems
    shown = render_error(error)
    assert visible(shown) == shown
    assert len(shown.split("\n")) == len(error.problems) + 1 + bool(error.hint)
    assert len(json.loads(render_error(error, as_json=True))["problems"]) == len(error.problems)


def check_folder(files: Files) -> bool:
    """Loads and compiles; whether the folder is good."""
    cloud = try_load(files)
    if cloud is None:
        return False
    assert msgspec.json.decode(msgspec.json.encode(cloud), type=Cloud) == cloud
    try:
        trees = compile_cloud(cloud, lock_of(cloud))
    except CloudInvalid as error:
        check_shown(error)
        return False
    for tree in trees.values():
        check_tree(tree)
    return True


@pytest.mark.parametrize("name", sorted(good_folders()))
def test_good_folders_are_good(name: str) -> None:
    """The other tests would pass if all was refused."""
    if name != "secrets":
        assert check_folder(good_folders()[name])


@cases("cloud folders", 3000)
@given(damaged_folders())
def test_one_thing_wrong(files: Files) -> None:
    count("cloud folders")
    check_folder(files)


@cases("cloud folders", 2500)
@given(hostile_folders())
def test_hostile_texts(files: Files) -> None:
    count("cloud folders")
    check_folder(files)


@cases("placements", 1000)
@given(placed_folders())
def test_placements(files: Files) -> None:
    count("placements")
    check_folder(files)


@cases("manifests", 3000)
@given(made_folders())
def test_made_manifests(files: Files) -> None:
    count("manifests")
    check_folder(files)


@cases("YAML texts", 1500)
@given(
    damaged_folders(),
    st.lists(
        st.tuples(
            st.integers(0, 2000),
            st.sampled_from(
                ["\t", "\r\n", "\0", "\x85", "---\n", "...\n", "%YAML 1.2\n", "!!x ", "&a ", "*a",
                 "<<: ", "? ", "- ", ": ", "{", "}", "[", "]", "'", '"', "|\n", ">\n", "#", "\\",
                 "\ufeff", "\xff", "\ud800", "!!binary ", "!!python/object:os.system ", "@", "`"]
            ),
        ),
        min_size=1,
        max_size=4,
    ),
)  # fmt: skip
def test_yaml_with_something_in_between(files: Files, signs: list[tuple[int, str]]) -> None:
    count("YAML texts")
    name = next(one for one, it in files.items() if isinstance(it, list))
    text = b"\n---\n".join(map(damage.dump, files[name]))
    for where, sign in signs:
        where %= len(text) + 1
        text = text[:where] + sign.encode("utf-8", "surrogatepass") + text[where:]
    check_folder({**files, name: text})
