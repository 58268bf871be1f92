"""Values in units are read back as they were: by systemd's rules, on one line, nothing beside."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skerry.compile.cloud import compile_cloud
from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud
from skerry.observe.environment import parse_environment
from tests.fuzz import hostile
from tests.fuzz.clouds import on_disk
from tests.fuzz.counting import cases, count
from tests.fuzz.trees import check_tree
from tests.fuzz.unit_reader import read_unit
from tests.golden.test_trees import lock_of

texts = st.sampled_from(hostile.TEXTS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
)
short = texts.filter(lambda text: "\0" not in text and len(text) < 3000)
signs = st.text(" \t\n;\\\"'$%{}()[]#=-i,x0né\U0001f600", max_size=12)
values = short | signs


@cases("units", 1000)
@given(st.lists(values, min_size=1, max_size=4), values, values, values)
def test_values_arrive_as_they_were(args: list[str], value: str, note: str, text: str) -> None:
    count("units")
    spec: dict[str, Any] = {
        "containers": [
            {
                "name": "web",
                "image": "localhost/web",
                "command": ["/bin/x"],
                # "$(" is Kubernetes' own, which other tests look at.
                "args": [one.replace("$(", "$ (") for one in args],
                "env": [{"name": "VALUE", "value": value.replace("$(", "$ (")}],
                "volumeMounts": [{"name": "config", "mountPath": "/config"}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "page"}}],
    }
    documents: list[Any] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"},
         "data": {"file": text}},
        {"apiVersion": "v1", "kind": "Pod",
         "metadata": {"name": "web", "annotations": {"note": note}}, "spec": spec},
    ]  # fmt: skip
    cloud = {
        "name": "home",
        "nodes": {"alpha": {"ssh": "alpha"}},
        "run": {"web": {"pod": "pods/web.yaml"}},
    }
    with on_disk({"cloud.yaml": [cloud], "pods/web.yaml": documents}) as folder:
        try:
            loaded = load_cloud(folder)
            tree = compile_cloud(loaded, lock_of(loaded))["alpha"]
        except CloudInvalid as error:
            # What no program can be given, what no YAML can hold, what Podman would change.
            assert all(
                any(word in one.message for word in ("NUL", "YAML", "CR LF"))
                for one in error.problems
            ), error.problems
            return
    check_tree(tree)
    (unit,) = (file for path, file in tree.files.items() if path.endswith(".container"))
    read = read_unit(unit.content.decode())
    container = spec["containers"][0]
    wanted = [one.replace("$$", "$") for one in container["args"]]
    assert read.words("Exec")[-len(wanted) :] == wanted
    variables = dict(word.partition("=")[::2] for word in read.words("Environment"))
    assert variables["VALUE"] == container["env"][0]["value"].replace("$$", "$")
    assert parse_environment(unit.content.decode())["VALUE"] == variables["VALUE"]
    assert f"note={note}" in read.words("Annotation")
    assert text.encode() in [file.content for file in tree.files.values()]
