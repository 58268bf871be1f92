"""What containers are told: order of variables, fields of the pod, amounts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from skerry.compile.lock import Lock, NodeFacts
from skerry.compile.runtimes.downward import format_map
from skerry.compile.runtimes.environment import has_node_fields, resolve_environment
from skerry.compile.runtimes.sources import Instance, Sources
from skerry.compile.runtimes.values import try_text
from skerry.errors import Problem
from skerry.model.cloud import Cloud, Node, Placement, Workload, WorkloadManifest
from skerry.model.configmap import ConfigMap
from skerry.model.deployment import Deployment
from skerry.model.pod import Pod
from skerry.model.statefulset import StatefulSet

MAPS = {
    name: msgspec.convert(
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": texts},
        ConfigMap,
    )
    for name, texts in {"one": {"A": "a1", "B": "$(A)"}, "two": {"A": "a2"}}.items()
}
NODES = {
    "alpha": Node(ssh="root@203.0.113.10"),
    "beta": Node(ssh="beta.example"),
    "gamma": Node(ssh="gamma", memory="512Mi"),
}
FACTS = {"beta": NodeFacts(memory=1000 << 20, system=70 << 20, cpus=2, address="198.51.100.7")}


def pod(env: list[dict[str, Any]], **fields: Any) -> Pod:
    container = {"name": "c", "image": "i", "env": env, **fields}
    return msgspec.convert(
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": "x", "labels": {"app": "web"}, "annotations": {"ab/c": "t w\no"}},
            "spec": {"containers": [container]},
        },
        Pod,
    )


def resolve(
    manifest: WorkloadManifest, node: str = "alpha", replicas: int | None = None, ordinal: int = 0
) -> tuple[dict[str, str | None], list[Problem]]:
    workload = Workload(
        name="web",
        placement=Placement(pod="p"),
        manifest=manifest,
        nodes=("alpha",),
        replicas=replicas,
    )
    cloud = Cloud(name="home", nodes=NODES, workloads={"web": workload}, config_maps=MAPS)
    instance = Instance(cloud="home", workload=workload, ordinal=ordinal, node=node)
    problems: list[Problem] = []
    (container,) = workload.spec.containers
    found = resolve_environment(instance, container, Sources(cloud, Lock(nodes=FACTS)), problems)
    return {name: try_text(variable.value) for name, variable in found.items()}, problems


def field(path: str) -> dict[str, Any]:
    return {"name": "V", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def amount(resource: str, **fields: Any) -> dict[str, Any]:
    return {"name": "V", "valueFrom": {"resourceFieldRef": {"resource": resource, **fields}}}


def value_of(
    variable: dict[str, Any], node: str = "alpha", **fields: Any
) -> tuple[str | None, list[str]]:
    found, problems = resolve(pod([variable], **fields), node)
    return found["V"], [problem.message for problem in problems]


def test_a_later_variable_takes_the_place_of_an_earlier_one() -> None:
    found, problems = resolve(
        pod(
            [
                {"name": "C", "value": "$(A)-$(P_B)-$(NOT)"},
                {"name": "A", "value": "own"},
                {"name": "D", "value": "$(A)$(C)"},
            ],
            envFrom=[
                {"configMapRef": {"name": "one"}},
                {"configMapRef": {"name": "two"}},
                {"configMapRef": {"name": "one"}, "prefix": "P_"},
                {"configMapRef": {"name": "gone", "optional": True}},
            ],
        )
    )
    assert not problems
    assert found == {
        "A": "own",
        "B": "$(A)",
        "P_A": "a1",
        "P_B": "$(A)",
        "C": "a2-$(A)-$(NOT)",
        "D": "owna2-$(A)-$(NOT)",
    }


@pytest.mark.parametrize(
    ("path", "node", "value"),
    [
        ("metadata.name", "beta", "web"),
        ("metadata.namespace", "beta", "default"),
        ("metadata.labels['app']", "beta", "web"),
        ("metadata.labels['gone']", "beta", ""),
        ("metadata.annotations['ab/c']", "beta", "t w\no"),
        ("spec.nodeName", "beta", "beta"),
        ("status.hostIP", "beta", "198.51.100.7"),
        ("status.hostIPs", "alpha", "203.0.113.10"),
    ],
)
def test_fields_of_the_pod(path: str, node: str, value: str) -> None:
    found, problems = resolve(pod([field(path)]), node, replicas=1)
    assert (found["V"], problems) == (value, [])


def test_an_address_that_nobody_knows_is_a_problem() -> None:
    assert value_of(field("status.hostIP"), "gamma") == (
        "",
        ["the address of node 'gamma' is not known, and 'gamma' is a name"],
    )


def test_names_of_pods_are_unique() -> None:
    labels = {"metadata": {"labels": {"a": "b"}}, "spec": msgspec.to_builtins(
        pod([field("metadata.name")]).spec
    )}  # fmt: skip
    fields = {
        "metadata": {"name": "x"},
        "apiVersion": "apps/v1",
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": labels},
    }
    deployment = msgspec.convert({"kind": "Deployment", **fields}, Deployment)
    numbered = msgspec.convert({"kind": "StatefulSet", **fields}, StatefulSet)
    alone = pod([field("metadata.name")])

    def name(manifest: WorkloadManifest, **placed: Any) -> str | None:
        return resolve(manifest, **placed)[0]["V"]

    assert name(alone, replicas=1) == "web"
    assert name(alone, replicas=None) == "web"
    assert name(alone, replicas=3, ordinal=1) == "web-alpha-1"
    assert name(deployment, replicas=1) == "web-alpha-0"
    assert name(deployment, replicas=4, node="beta", ordinal=2) == "web-beta-2"
    assert name(numbered, replicas=4, node="beta", ordinal=3) == "web-3"


@pytest.mark.parametrize(
    ("variable", "limits", "requests", "value"),
    [
        (amount("limits.cpu"), {"cpu": "1500m"}, {}, "2"),
        (amount("limits.cpu", divisor="1m"), {"cpu": "1500m"}, {}, "1500"),
        (amount("limits.memory"), {"memory": "64Mi"}, {}, "67108864"),
        (amount("limits.memory", divisor="1Mi"), {"memory": "64Mi"}, {}, "64"),
        (amount("limits.memory", divisor="1M"), {"memory": "64Mi"}, {}, "68"),
        (amount("limits.memory", divisor="0"), {"memory": "1k"}, {}, "1000"),
        (amount("requests.cpu", divisor="1m"), {"cpu": 1}, {}, "1000"),
        (amount("requests.cpu", divisor="1m"), {"cpu": 1}, {"cpu": "10m"}, "10"),
        (amount("requests.memory"), {}, {}, "0"),
        (amount("limits.cpu"), {}, {}, "2"),
        (amount("limits.memory", divisor="1Mi"), {}, {}, "930"),
        (amount("limits.memory", divisor="1Mi", containerName="c"), {}, {}, "930"),
    ],
)
def test_amounts(
    variable: dict[str, Any], limits: dict[str, Any], requests: dict[str, Any], value: str
) -> None:
    resources = {"limits": limits, "requests": requests}
    assert value_of(variable, "beta", resources=resources) == (value, [])


def test_amounts_of_a_node_that_nobody_knows() -> None:
    assert value_of(amount("limits.memory", divisor="1Mi"), "gamma") == ("512", [])
    assert value_of(amount("limits.cpu"), "gamma")[1] == [
        "without a limit this is what the node has for pods, and the processors of node 'gamma' "
        "are not known"
    ]
    assert value_of(amount("limits.memory"))[1]


@pytest.mark.parametrize(
    ("variable", "differs"),
    [
        ({"name": "V", "value": "x"}, False),
        (field("metadata.namespace"), False),
        (field("metadata.labels['a']"), False),
        (field("metadata.name"), True),
        (field("spec.nodeName"), True),
        (field("status.podIP"), True),
        (amount("limits.cpu"), False),
        (amount("limits.memory"), True),
        (amount("requests.memory"), False),
    ],
)
def test_what_differs_from_node_to_node(variable: dict[str, Any], *, differs: bool) -> None:
    spec = pod([variable], resources={"limits": {"cpu": 1}}).spec
    assert has_node_fields(spec) == differs


def test_labels_as_a_file_are_quoted_as_go_does_it() -> None:
    # As strconv.Quote prints them.
    named = {"b": 'a"\\\n\t\x01\x7f', "a": "é \u00a0\u200b\U0001f600\U000e0001"}
    assert format_map(named) == ('a="é \\u00a0\\u200b😀\\U000e0001"\nb="a\\"\\\\\\n\\t\\x01\\x7f"')
