"""Placement of whole random clouds: what moves when a node goes or comes, and what never does."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skerry.compile.lock import Lock, NodeFacts
from skerry.compile.placement.memory import pod_memory
from skerry.compile.placement.place_cloud import Placements, place_cloud
from skerry.model.cloud import Cloud, Node, Placement, Workload
from skerry.model.deployment import Deployment

MB = 1_000_000
NAMES = [f"n{number}" for number in range(9)]
# Six tests: more than two thousand clouds a run.
many = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ZONES = st.sampled_from([None, "a", "b", "c"])
NODE = st.fixed_dictionaries(
    {
        "zone": ZONES,
        "vendor": st.sampled_from(["x", "y", "z"]),
        "disk": st.sampled_from(["ssd", "hdd"]),
        "taint": st.sampled_from(["", "", "", "NoSchedule", "PreferNoSchedule"]),
        "memory": st.integers(0, 8),
    }
)
NODES = st.dictionaries(st.sampled_from(NAMES), NODE, min_size=1, max_size=9)
# What is said of nodes alone, and at most one rule of topology: with these a node that goes
# moves its own replicas and no others, for certain.
ONE_RULE = st.sampled_from(
    [
        {},
        {},
        {"spread": "zone"},
        {"spread": "vendor"},
        {"even": "vendor"},
        {"even": "zone"},
        {"rather-even": "zone"},
        {"rather-even": "vendor"},
        {"apart": "kubernetes.io/hostname"},
        {"apart": "vendor"},
        {"rather-apart": "zone"},
        {"rather-apart": "kubernetes.io/hostname"},
    ]
)
WISH = st.sampled_from([{}, {}, {"select": "ssd"}, {"like": "ssd"}, {"unlike": "hdd"}])
WORKLOAD = st.tuples(st.integers(0, 12), ONE_RULE, WISH, st.integers(0, 3)).map(
    lambda parts: {"replicas": parts[0], "rule": parts[1], "wish": parts[2], "memory": parts[3]}
)
WORKLOADS = st.lists(WORKLOAD, min_size=1, max_size=5)


def deployment(name: str, shape: dict[str, Any], *, memory: bool) -> Deployment:
    """The manifest of a workload of a given shape."""
    own = {"matchLabels": {"app": name}}
    container: dict[str, Any] = {"name": "c", "image": "i"}
    if memory and shape["memory"]:
        container["resources"] = {"requests": {"memory": f"{shape['memory']}M"}}
    spec: dict[str, Any] = {"containers": [container]}
    affinity: dict[str, Any] = {}
    for kind, key in shape["rule"].items():
        if kind in ("even", "rather-even"):
            spec["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": key,
                    "whenUnsatisfiable": "DoNotSchedule" if kind == "even" else "ScheduleAnyway",
                    "labelSelector": own,
                }
            ]
        term = {"topologyKey": key, "labelSelector": own}
        if kind == "apart":
            affinity["podAntiAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        if kind == "rather-apart":
            affinity["podAntiAffinity"] = {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 5, "podAffinityTerm": term}
                ]
            }
    wish = shape["wish"]
    if "select" in wish:
        spec["nodeSelector"] = {"disk": wish["select"]}
    for word, operator in (("like", "In"), ("unlike", "NotIn")):
        if word in wish:
            condition = {"key": "disk", "operator": operator, "values": [wish[word]]}
            affinity["nodeAffinity"] = {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 7, "preference": {"matchExpressions": [condition]}}
                ]
            }
    if affinity:
        spec["affinity"] = affinity
    return msgspec.convert(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "selector": own,
                "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
            },
        },
        Deployment,
    )


def make_cloud(
    nodes: dict[str, dict[str, Any]], shapes: list[dict[str, Any]], *, memory: bool = False
) -> Cloud:
    """A cloud of these nodes and workloads."""
    made = {}
    for name in sorted(nodes):
        shape = nodes[name]
        taints = [{"key": "t", "effect": shape["taint"]}] if shape["taint"] else []
        fields = {"ssh": "h", "vendor": shape["vendor"], "labels": {"disk": shape["disk"]}}
        made[name] = msgspec.convert({**fields, "zone": shape["zone"], "taints": taints}, Node)
    workloads = {}
    for number, shape in enumerate(shapes):
        name = f"w{number}"
        workloads[name] = Workload(
            name=name,
            placement=Placement(pod="p", spread=shape["rule"].get("spread")),
            manifest=deployment(name, shape, memory=memory),
            nodes=tuple(sorted(nodes)),
            replicas=shape["replicas"],
        )
    return Cloud(name="c", nodes=made, workloads=workloads, config_maps={})


def facts(nodes: dict[str, dict[str, Any]]) -> Lock:
    """What the nodes said of their memory."""
    return Lock(
        nodes={name: NodeFacts(memory=(shape["memory"] + 1) * MB, system=MB // 2)
               for name, shape in nodes.items()}
    )  # fmt: skip


def counts(placements: Placements, workload: str) -> dict[str, int]:
    """How many replicas of the workload each node has."""
    return {node: len(ordinals) for node, ordinals in placements.of(workload).items()}


def without(nodes: dict[str, Any], gone: str) -> dict[str, Any]:
    """The nodes but one."""
    return {name: shape for name, shape in nodes.items() if name != gone}


def losses(before: Placements, after: Placements, workload: str, gone: str) -> dict[str, int]:
    """What nodes other than `gone` have less of the workload."""
    was, now = counts(before, workload), counts(after, workload)
    return {
        node: count - now.get(node, 0)
        for node, count in was.items()
        if node != gone and count > now.get(node, 0)
    }


@many
@given(NODES, WORKLOADS, st.data())
def test_a_lost_node_moves_only_its_own(
    nodes: dict[str, Any], shapes: list[dict[str, Any]], draw: st.DataObject
) -> None:
    gone = draw.draw(st.sampled_from(sorted(nodes)))
    cloud = make_cloud(nodes, shapes)
    before = place_cloud(cloud, Lock())
    after = place_cloud(make_cloud(without(nodes, gone), shapes), Lock())
    for name in cloud.workloads:
        assert not losses(before, after, name, gone)
        # What the rules leave no place for is missing, and is an error.
        missing = sum(counts(before, name).values()) - sum(counts(after, name).values())
        assert missing >= 0
        assert not missing or len(after.problems) > 0


@many
@given(NODES, WORKLOADS, st.data())
def test_a_new_node_takes_only_its_share(
    nodes: dict[str, Any], shapes: list[dict[str, Any]], draw: st.DataObject
) -> None:
    new = draw.draw(st.sampled_from(sorted(nodes)))
    before = place_cloud(make_cloud(without(nodes, new), shapes), Lock())
    cloud = make_cloud(nodes, shapes)
    after = place_cloud(cloud, Lock())
    if before.problems:
        # A rule that could not be kept may be now: what had no place goes anywhere.
        return
    for name in cloud.workloads:
        was, now = counts(before, name), counts(after, name)
        assert all(now[node] <= was.get(node, 0) for node in now if node != new)


@many
@given(NODES, WORKLOADS, st.data())
def test_to_leave_a_node_out_is_to_take_it_away(
    nodes: dict[str, Any], shapes: list[dict[str, Any]], draw: st.DataObject
) -> None:
    gone = draw.draw(st.sampled_from(sorted(nodes)))
    cloud = make_cloud(nodes, shapes)
    out = place_cloud(msgspec.structs.replace(cloud, absent=(gone,)), Lock())
    away = place_cloud(make_cloud(without(nodes, gone), shapes), Lock())
    assert out.where == away.where


@many
@given(NODES, WORKLOADS, st.sampled_from(["absent", "cordon"]), st.data())
def test_leaving_a_node_out_moves_only_its_own_where_memory_is_short_too(
    nodes: dict[str, Any], shapes: list[dict[str, Any]], how: str, draw: st.DataObject
) -> None:
    gone = draw.draw(st.sampled_from(sorted(nodes)))
    cloud, lock = make_cloud(nodes, shapes, memory=True), facts(nodes)
    before = place_cloud(cloud, lock)
    if how == "absent":
        changed = msgspec.structs.replace(cloud, absent=(gone,))
    else:
        drained = msgspec.structs.replace(cloud.nodes[gone], cordon=())
        changed = msgspec.structs.replace(cloud, nodes={**cloud.nodes, gone: drained})
    after = place_cloud(changed, lock)
    held = {one.workload: one.count for one in after.held}
    for name in cloud.workloads:
        assert not losses(before, after, name, gone)
        assert gone not in counts(after, name)
        missing = sum(counts(before, name).values()) - sum(counts(after, name).values())
        assert missing == held.get(name, 0)


@many
@given(NODES, WORKLOADS, st.data())
def test_where_memory_is_short_a_removed_node_disturbs_only_who_comes_after_one_that_moved(
    nodes: dict[str, Any], shapes: list[dict[str, Any]], draw: st.DataObject
) -> None:
    gone = draw.draw(st.sampled_from(sorted(nodes)))
    cloud, lock = make_cloud(nodes, shapes, memory=True), facts(nodes)
    before = place_cloud(cloud, lock)
    after = place_cloud(make_cloud(without(nodes, gone), shapes, memory=True), lock)
    if after.problems:
        # Such a folder is refused: nothing moves at all.
        return
    turns = {
        name: (not workload.spec.node_selector, -pod_memory(workload.spec), name)
        for name, workload in cloud.workloads.items()
    }
    order = sorted(cloud.workloads, key=turns.__getitem__)
    for name in order:
        assert not losses(before, after, name, gone)
        if counts(before, name) != counts(after, name):
            break


@many
@given(NODES, WORKLOADS, st.randoms())
def test_no_order_matters_and_no_rule_is_broken(
    nodes: dict[str, Any], shapes: list[dict[str, Any]], dice: Random
) -> None:
    cloud, lock = make_cloud(nodes, shapes, memory=True), facts(nodes)
    placed = place_cloud(cloud, lock)
    shuffled = {}
    for field in ("nodes", "workloads"):
        names = list(getattr(cloud, field))
        dice.shuffle(names)
        shuffled[field] = {name: getattr(cloud, field)[name] for name in names}
    assert place_cloud(msgspec.structs.replace(cloud, **shuffled), lock).where == placed.where
    used = Counter[str]()
    for name, workload in cloud.workloads.items():
        now, shape = counts(placed, name), shapes[int(name[1:])]
        assert sum(now.values()) <= shape["replicas"]
        for node, count in now.items():
            used[node] += count * pod_memory(workload.spec)
            assert nodes[node]["taint"] != "NoSchedule"
            assert "select" not in shape["wish"] or nodes[node]["disk"] == "ssd"
        assert_rules(shape["rule"], now, {name: all_labels(nodes, name) for name in nodes})
    for node, shape in nodes.items():
        assert used[node] <= shape["memory"] * MB + MB // 2


def all_labels(nodes: dict[str, Any], name: str) -> dict[str, str]:
    """The labels that the rules of these tests look at."""
    shape = nodes[name]
    return {"kubernetes.io/hostname": name, "zone": shape["zone"], "vendor": shape["vendor"]}


def assert_rules(rule: dict[str, str], now: dict[str, int], labels: dict[str, Any]) -> None:
    """What must be kept is kept."""
    if "apart" in rule:
        places = [labels[node][rule["apart"]] for node in now]
        assert len(set(places)) == len(places)
        assert set(now.values()) <= {1}
    if "even" in rule:
        per_place = Counter[str]()
        for node, count in now.items():
            assert labels[node][rule["even"]] is not None
            per_place[labels[node][rule["even"]]] += count
        assert not per_place or max(per_place.values()) - min(per_place.values()) <= 1
