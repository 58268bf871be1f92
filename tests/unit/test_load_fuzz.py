"""Whatever a folder holds, the loader answers with a cloud or with problems, never otherwise."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud, load_nodes
from skerry.load.unknown import kubernetes_names
from skerry.model.cloud import Cloud

WORDS = [
    "name",
    "nodes",
    "run",
    "pod",
    "ssh",
    "inventory",
    "kind",
    "Pod",
    "ConfigMap",
    "Deployment",
    "apiVersion",
    "v1",
    "apps/v1",
    "metadata",
    "spec",
    "containers",
    "image",
    "env",
    "value",
    "valueFrom",
    "ports",
    "containerPort",
    "volumes",
    "configMap",
    "data",
    "template",
    "selector",
    "matchLabels",
    "x-a",
    "pods/p.yaml",
    "hosts",
    "a",
    "b",
    "<<",
    "all",
    "children",
    "vars",
]
words = st.sampled_from(WORDS) | st.text(max_size=6)
scalars = words | st.integers() | st.floats() | st.booleans() | st.none() | st.binary(max_size=3)
trees: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=20,
)
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}


def load(cloud: bytes, pod: bytes, hosts: bytes = b"") -> Cloud | None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pods").mkdir()
        (folder / "cloud.yaml").write_bytes(cloud)
        (folder / "pods/p.yaml").write_bytes(pod)
        (folder / "hosts").write_bytes(hosts)
        (folder / "hosts.yml").write_bytes(hosts)
        try:
            load_nodes(folder)
        except CloudInvalid as error:
            assert error.problems
        try:
            loaded = load_cloud(folder)
        except CloudInvalid as error:
            assert error.problems
            assert all(problem.message for problem in error.problems)
            return None
        assert msgspec.json.decode(msgspec.json.encode(loaded), type=Cloud) == loaded
        return loaded


def dump(tree: Any) -> bytes:
    return yaml.safe_dump(tree, allow_unicode=True).encode(errors="replace")


@given(trees, trees)
def test_any_tree(cloud: Any, pod: Any) -> None:
    load(dump(cloud), dump(pod))


@given(st.dictionaries(words, trees, max_size=3), trees, st.data())
def test_trees_in_valid_places(fields: dict[str, Any], value: Any, data: st.DataObject) -> None:
    container = {**POD["spec"]["containers"][0], **fields}
    pod = data.draw(
        st.sampled_from(
            [
                {**POD, **fields},
                {**POD, "spec": {**POD["spec"], **fields}},
                {**POD, "spec": {"containers": [container]}},
            ]
        )
    )
    cloud = {
        "name": "x",
        "nodes": {"a": data.draw(st.just({"ssh": "a"}) | trees)},
        "run": {"w": {"pod": "pods/p.yaml", **fields}},
        data.draw(words): value,
    }
    load(dump(cloud), dump(pod))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes(cloud: bytes, pod: bytes) -> None:
    load(cloud, pod)


@given(st.text("{}[]:,#&*!|>'\"-?%@` \n\tab<~1", max_size=60))
def test_any_syntax(text: str) -> None:
    load(b"name: x\nnodes: " + text.encode(), text.encode())


@given(st.text("[]:=#;'\" \nab1-._{}@", max_size=60) | st.text(max_size=40), trees)
def test_any_inventory(text: str, tree: Any) -> None:
    raw = text.encode(errors="replace")
    load(b"name: x\ninventory: hosts\n", b"", raw)
    load(b"name: x\ninventory: hosts.yml\n", b"", raw)
    load(b"name: x\ninventory: hosts.yml\n", b"", dump(tree))


def test_valid_input_is_accepted() -> None:
    """The other tests would pass if all was refused."""
    cloud = {"name": "x", "nodes": {"a": {"ssh": "a"}}, "run": {"w": {"pod": "pods/p.yaml"}}}
    loaded = load(dump(cloud), dump(POD))
    assert loaded is not None
    assert list(loaded.workloads) == ["w"]


def test_kubernetes_names_are_there() -> None:
    known = kubernetes_names()
    assert {"Service", "Secret", "StatefulSet"} <= set(known["kinds"])
    assert "livenessProbe" in known["types"]["Container"]
    assert "nodeSelector" in known["types"]["PodSpec"]
