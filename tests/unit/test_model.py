"""Quantities, labels, and the model's round trip through JSON."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.model.cloud import Cloud, Node, Placement, Workload
from skerry.model.configmap import ConfigMap
from skerry.model.container import Container, EnvVar, ResourceList, ResourceRequirements
from skerry.model.metadata import Metadata
from skerry.model.pod import Pod, PodSpec
from skerry.model.quantity import QUANTITY_PATTERN, parse_cpu, parse_memory


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("64Mi", 64 * 1024**2),
        ("1.5Gi", 1536 * 1024**2),
        ("1k", 1000),
        ("2E", 2 * 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        (".5Ki", 512),
        ("100m", 1),
        (128974848, 128974848),
        (1e22, 10**22),
        (0.5, 1),
    ],
)
def test_memory(quantity: str | int | float, expected: int) -> None:
    assert parse_memory(quantity) == expected


@pytest.mark.parametrize(
    ("quantity", "expected"), [("250m", 250), ("0.5", 500), (2, 2000), (0.1, 100), ("1n", 1)]
)
def test_cpu(quantity: str | int | float, expected: int) -> None:
    assert parse_cpu(quantity) == expected


@pytest.mark.parametrize("quantity", ["", "Mi", "64MB", "1 Gi", "-1", "1e", "0x10", "1e9999"])
def test_malformed_quantities(quantity: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity such as"):
        parse_memory(quantity)


@given(st.from_regex(QUANTITY_PATTERN, fullmatch=True))
def test_what_the_pattern_takes_can_be_parsed(quantity: str) -> None:
    assert parse_memory(quantity.strip()) >= 0
    assert parse_cpu(quantity.strip()) >= 0


@given(st.floats(min_value=0, max_value=1e30))
def test_any_number_can_be_parsed(number: float) -> None:
    assert parse_memory(number) >= 0


def test_node_labels() -> None:
    node = Node(ssh="h", vendor="v", labels={"disk": "ssd", "zone": "z"})
    assert node.all_labels("n") == {"name": "n", "vendor": "v", "zone": "z", "disk": "ssd"}


words = st.text(max_size=8)
containers = st.builds(
    Container,
    name=words,
    image=words,
    command=st.lists(words, max_size=2).map(tuple),
    env=st.lists(st.builds(EnvVar, name=words, value=words | st.none()), max_size=2).map(tuple),
    resources=st.builds(
        ResourceRequirements,
        limits=st.builds(ResourceList, memory=words | st.integers(0, 9) | st.none()),
    ),
)
pods = st.builds(
    Pod,
    api_version=st.just("v1"),
    metadata=st.builds(Metadata, name=words, labels=st.dictionaries(words, words, max_size=2)),
    spec=st.builds(PodSpec, containers=st.lists(containers, min_size=1, max_size=2).map(tuple)),
)


@given(pods, st.dictionaries(words, words, max_size=3))
def test_json_round_trip(pod: Pod, texts: dict[str, str]) -> None:
    workload = Workload(
        name="w", placement=Placement(pod="p"), manifest=pod, nodes=("n",), replicas=None
    )
    config_map = ConfigMap(api_version="v1", metadata=Metadata(name="c"), data=texts)
    cloud = Cloud(
        name="x",
        nodes={"n": Node(ssh="h")},
        workloads={"w": workload},
        config_maps={"c": config_map},
    )
    # Constraints are the loader's; the round trip is about shapes.
    raw = msgspec.to_builtins(cloud)
    assert raw["workloads"]["w"]["manifest"]["kind"] == "Pod"
    assert pod.kind == "Pod"
    encoded = msgspec.json.encode(cloud)
    assert msgspec.json.encode(msgspec.json.decode(encoded)) == encoded
    assert re.search(b'"kind":"Pod"', encoded)
