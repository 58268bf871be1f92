"""What pods say of nodes and of each other, seen at where their containers run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE

from skerry.load.edit import set_node_field

LABELS = {
    "alpha": {"disk": "ssd", "cores": "8", "rack": "r1"},
    "beta": {"disk": "hdd", "cores": "2", "rack": "r1"},
    "gamma": {"disk": "ssd", "cores": "4", "rack": "r2"},
}
TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
TOLERATES = [{"key": "dedicated", "operator": "Equal", "value": "db", "effect": "NoSchedule"}]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@pytest.fixture
def labelled(cloud: LiveCloud) -> Iterator[LiveCloud]:
    """The session's cloud with labels on its nodes, and a taint on gamma."""
    header = text = cloud.header
    for name, labels in LABELS.items():
        text = set_node_field(text, name, "labels", labels)
    cloud.header = set_node_field(text, "gamma", "taints", [TAINT])
    yield cloud
    cloud.header = header


def manifest(name: str, replicas: int = 1, **spec: Any) -> str:
    container = {
        "name": "main",
        "image": BUSYBOX_IMAGE,
        "command": ["/bin/busybox", "sleep", "99999"],
    }
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
            },
        }
    )


def where(cloud: LiveCloud) -> dict[str, Counter[str]]:
    """How many containers of each workload run on which node, as Podman says."""
    found: dict[str, Counter[str]] = {}
    for node in LABELS:
        for name in cloud.containers(node):
            workload = name.removeprefix("skerry-").partition(".")[0]
            found.setdefault(workload, Counter())[node] += 1
    return found


def condition(key: str, operator: str, *values: str) -> dict[str, object]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def needs(*conditions: dict[str, object], field: str = "matchExpressions") -> dict[str, object]:
    terms = [{field: list(conditions)}]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}


def spread(app: str, **fields: object) -> list[dict[str, object]]:
    return [{"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule",
             "labelSelector": {"matchLabels": {"app": app}}, **fields}]  # fmt: skip


@pytest.mark.honours(
    "PodSpec.nodeName",
    "PodSpec.nodeSelector",
    "PodSpec.affinity",
    "Affinity.nodeAffinity",
    "NodeAffinity.requiredDuringSchedulingIgnoredDuringExecution",
    "NodeAffinity.preferredDuringSchedulingIgnoredDuringExecution",
    "NodeSelector.nodeSelectorTerms",
    "NodeSelectorTerm.matchExpressions",
    "NodeSelectorTerm.matchFields",
    "NodeSelectorRequirement.key",
    "NodeSelectorRequirement.operator",
    "NodeSelectorRequirement.values",
    "PreferredSchedulingTerm.weight",
    "PreferredSchedulingTerm.preference",
    "PodSpec.tolerations",
    "Toleration.key",
    "Toleration.operator",
    "Toleration.value",
    "Toleration.effect",
)
def test_pods_run_on_the_nodes_that_suit_them(labelled: LiveCloud) -> None:
    expected: dict[str, set[str]] = {}

    def place(name: str, *nodes: str, replicas: int = 1, **spec: Any) -> None:
        labelled.place(name, manifest(name, replicas, **spec))
        expected[name] = set(nodes)

    for node in LABELS:
        place(f"named-{node}", node, nodeName=node)
        chosen = {"kubernetes.io/hostname": node}
        place(f"selected-{node}", node, nodeSelector=chosen, tolerations=TOLERATES)
        field = needs(condition("metadata.name", "In", node), field="matchFields")
        place(f"field-{node}", node, affinity=field, tolerations=TOLERATES)
        lighter = {"weight": 10, "preference": {"matchExpressions": [condition("disk", "Exists")]}}
        wish = {"weight": 20, "preference": {"matchExpressions": [condition("name", "In", node)]}}
        likes = {"nodeAffinity": {PREFERRED: [lighter, wish]}}
        place(f"liking-{node}", node, affinity=likes, tolerations=TOLERATES)
    place("many", "alpha", affinity=needs(condition("cores", "Gt", "5")))
    place("few", "beta", affinity=needs(condition("cores", "Lt", "3")))
    place("slow", "beta", affinity=needs(condition("disk", "NotIn", "ssd")))
    # Nobody but who tolerates the taint is on gamma.
    place("plain", "alpha", "beta", replicas=3)
    place("wrong", "alpha", "beta", replicas=3, tolerations=[{**TOLERATES[0], "value": "web"}])
    place("any", *LABELS, replicas=3, tolerations=[{"operator": "Exists"}])
    labelled.skerry("apply", "--yes")
    assert {name: set(nodes) for name, nodes in where(labelled).items()} == expected


@pytest.mark.honours(
    "Affinity.podAntiAffinity",
    "PodAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution",
    "PodAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution",
    "PodAffinityTerm.labelSelector",
    "PodAffinityTerm.topologyKey",
    "WeightedPodAffinityTerm.weight",
    "WeightedPodAffinityTerm.podAffinityTerm",
    "PodSpec.topologySpreadConstraints",
    "TopologySpreadConstraint.maxSkew",
    "TopologySpreadConstraint.topologyKey",
    "TopologySpreadConstraint.whenUnsatisfiable",
    "TopologySpreadConstraint.labelSelector",
    "TopologySpreadConstraint.minDomains",
    "LabelSelector.matchLabels",
    "LabelSelector.matchExpressions",
    "LabelSelectorRequirement.key",
    "LabelSelectorRequirement.operator",
    "LabelSelectorRequirement.values",
)
def test_pods_keep_their_distance(labelled: LiveCloud) -> None:
    everywhere: dict[str, Any] = {"tolerations": TOLERATES}
    for node in LABELS:
        chosen = {"kubernetes.io/hostname": node}
        labelled.place(f"on-{node}", manifest(f"on-{node}", nodeSelector=chosen, **everywhere))
        # Away from those on the two other nodes, by need and by wish.
        others = sorted(f"on-{other}" for other in LABELS if other != node)
        selector = {"matchExpressions": [condition("app", "In", *others)]}
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
        need = {"podAntiAffinity": {REQUIRED: [term]}}
        labelled.place(f"far-{node}", manifest(f"far-{node}", affinity=need, **everywhere))
        light = {"topologyKey": "kubernetes.io/hostname",
                 "labelSelector": {"matchLabels": {"app": f"on-{node}"}}}  # fmt: skip
        wish = [{"weight": 50, "podAffinityTerm": term}, {"weight": 5, "podAffinityTerm": light}]
        shy = {"podAntiAffinity": {PREFERRED: wish}}
        labelled.place(f"shy-{node}", manifest(f"shy-{node}", affinity=shy, **everywhere))
    even = spread("even")
    labelled.place("even", manifest("even", 6, topologySpreadConstraints=even, **everywhere))
    labelled.skerry("apply", "--yes")
    found = where(labelled)
    for node in LABELS:
        assert found[f"far-{node}"] == {node: 1}
        assert found[f"shy-{node}"] == {node: 1}
    # Nodes alone would have two each.
    assert found["even"]["gamma"] == 3

    # Two places of three that are wanted: at most maxSkew in each; or as good as it can be.
    few = spread("few", minDomains=3, maxSkew=2)
    labelled.place("few", manifest("few", 5, topologySpreadConstraints=few, **everywhere))
    refused = labelled.skerry("plan", expect=2)
    assert "no node takes 1 of the 5 replicas of 'few'" in refused.error_text
    anyway = spread("few", whenUnsatisfiable="ScheduleAnyway")
    labelled.place("few", manifest("few", 5, topologySpreadConstraints=anyway, **everywhere))
    labelled.skerry("apply", "--yes")
    racks = Counter[str]()
    for node, count in where(labelled)["few"].items():
        racks[LABELS[node]["rack"]] += count
    assert sorted(racks.values()) == [2, 3]
