"""Placement by what is written: selectors, taints, rules, ports, memory, volumes, cordons."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from skerry.compile.lock import Lock, NodeFacts
from skerry.compile.placement.candidates import fit_node, node_labels
from skerry.compile.placement.memory import pod_memory
from skerry.compile.placement.place_cloud import Placements, place_cloud
from skerry.model.claim import PersistentVolumeClaim
from skerry.model.cloud import Cloud, Node, Placement, Workload, WorkloadManifest
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.job import Job
from skerry.model.pod import PodSpec
from skerry.model.service import Service
from skerry.model.statefulset import StatefulSet

KINDS = {"Deployment": Deployment, "DaemonSet": DaemonSet, "StatefulSet": StatefulSet}
MB = 1_000_000


def node(**fields: Any) -> Node:
    return msgspec.convert({"ssh": "h", **fields}, Node)


def spec_of(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i", **(container or {})}], **spec}


def manifest(name: str, spec: dict[str, Any], kind: str = "Deployment", **more: Any) -> Any:
    own = {"app": name}
    template = {"metadata": {"labels": own}, "spec": spec}
    fields = {"selector": {"matchLabels": own}, "template": template, **more}
    return msgspec.convert(
        {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": fields},
        KINDS[kind],
    )


def workload(
    name: str,
    spec: dict[str, Any] | None = None,
    replicas: int | None = 1,
    nodes: tuple[str, ...] = ("alpha", "beta", "gamma"),
    made: WorkloadManifest | None = None,
) -> Workload:
    return Workload(
        name=name,
        placement=Placement(pod="p"),
        manifest=made or manifest(name, spec or spec_of()),
        nodes=nodes,
        replicas=replicas,
    )


def cloud(*workloads: Workload, nodes: dict[str, Node] | None = None, **more: Any) -> Cloud:
    known = nodes or {name: node() for name in ("alpha", "beta", "gamma")}
    return Cloud(name="c", nodes=known, workloads={one.name: one for one in workloads},
                 config_maps={}, **more)  # fmt: skip


def claim(name: str, storage: str = "1G") -> PersistentVolumeClaim:
    return msgspec.convert(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": storage}},
            },
        },
        PersistentVolumeClaim,
    )


def claiming(name: str, **spec: Any) -> dict[str, Any]:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": name}}
    return spec_of(volumes=[volume], **spec)


def asking(memory: str, **spec: Any) -> dict[str, Any]:
    return spec_of({"resources": {"requests": {"memory": memory}}}, **spec)


def words(placements: Placements) -> list[str]:
    return [problem.message for problem in placements.problems]


def on(placements: Placements, name: str) -> dict[str, int]:
    return {where: len(numbers) for where, numbers in placements.of(name).items()}


def test_the_arithmetic_of_a_pod_that_fits_nowhere_is_told_for_each_node() -> None:
    nodes = {
        "alpha": node(memory="512M", labels={"disk": "ssd"}),
        "beta": node(taints=[{"key": "dedicated", "value": "db"}], labels={"disk": "ssd"}),
        "attic": node(),
    }
    lock = Lock(nodes={"alpha": NodeFacts(memory=4_000 * MB, system=70 * MB)})
    names = tuple(nodes)
    full = workload("full", asking("310M"), None, ("alpha",))
    blog = workload("blog", asking("200M", nodeSelector={"disk": "ssd"}), 1, names)
    assert words(place_cloud(cloud(full, blog, nodes=nodes), lock)) == [
        "no node takes 'blog':\n"
        "  alpha: 512 MB, system 70, planned 310; blog asks 200: 68 MB short\n"
        "  beta: taint dedicated=db:NoSchedule\n"
        "  attic: no label disk=ssd"
    ]
    two = workload("blog", asking("200M"), None, ("alpha",))
    assert words(place_cloud(cloud(full, two, nodes=nodes), lock)) == [
        "there is no room for 'blog':\n"
        "  alpha: 512 MB, system 70, planned 310; blog asks 200: 68 MB short"
    ]


def test_a_node_whose_memory_nobody_knows_has_room() -> None:
    placed = place_cloud(cloud(workload("blog", asking("900G"))), Lock())
    assert not placed.problems
    assert sum(on(placed, "blog").values()) == 1


def container(memory: str | None = None, limit: str | None = None, **more: Any) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    if memory:
        resources["requests"] = {"memory": memory}
    if limit:
        resources["limits"] = {"memory": limit}
    return {"name": "c", "image": "i", "resources": resources, **more}


@pytest.mark.parametrize(
    ("containers", "inits", "expected"),
    [
        ([container("100M"), container("20M")], [], 120),
        ([container(limit="64M")], [], 64),
        ([container("10M", "64M")], [], 10),
        ([container()], [], 0),
        ([container("50M")], [container("80M"), container("70M")], 80),
        ([container("50M")], [container("30M"), container("40M")], 50),
        # A sidecar runs beside all that comes after it.
        ([container("50M")], [container("20M", restartPolicy="Always"), container("60M")], 80),
        ([container("50M")], [container("60M"), container("20M", restartPolicy="Always")], 70),
    ],
)
def test_memory_of_a_pod(
    containers: list[dict[str, Any]], inits: list[dict[str, Any]], expected: int
) -> None:
    spec = msgspec.convert({"containers": containers, "initContainers": inits}, PodSpec)
    assert pod_memory(spec) == expected * MB


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    word = "requiredDuringSchedulingIgnoredDuringExecution"
    return {"affinity": {"nodeAffinity": {word: {"nodeSelectorTerms": list(terms)}}}}


def condition(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def expression(*parts: str) -> dict[str, Any]:
    return {"matchExpressions": [condition(*parts)]}


FIELDS = {"matchFields": [condition("metadata.name", "In", "alpha")]}
TOLERATES = {"key": "t", "operator": "Exists"}


@pytest.mark.parametrize(
    ("spec", "fields", "reason"),
    [
        ({"nodeName": "alpha"}, {}, ""),
        ({"nodeName": "beta"}, {}, "nodeName is beta"),
        ({"nodeName": "alpha"}, {"taints": [{"key": "t"}]}, ""),
        ({"nodeName": "alpha"}, {"taints": [{"key": "t", "effect": "NoExecute"}]},
         "taint t:NoExecute"),
        ({"nodeSelector": {"a": "1"}}, {"labels": {"a": "1"}}, ""),
        ({"nodeSelector": {"a": "1"}}, {"labels": {"a": "2"}}, "no label a=1"),
        ({"nodeSelector": {"kubernetes.io/hostname": "alpha"}}, {}, ""),
        ({"nodeSelector": {"kubernetes.io/os": "linux"}}, {}, ""),
        ({"nodeSelector": {"topology.kubernetes.io/zone": "z"}}, {"zone": "z"}, ""),
        ({"nodeSelector": {"topology.kubernetes.io/region": "v"}}, {"vendor": "v"}, ""),
        (required(expression("a", "In", "1", "2")), {"labels": {"a": "2"}}, ""),
        (required(expression("a", "In", "1", "2")), {}, "nodeAffinity: not a In [1, 2]"),
        (required(expression("a", "NotIn", "1")), {}, ""),
        (required(expression("a", "NotIn", "1")), {"labels": {"a": "1"}},
         "nodeAffinity: not a NotIn [1]"),
        (required(expression("a", "Exists")), {}, "nodeAffinity: not a Exists"),
        (required(expression("a", "DoesNotExist")), {}, ""),
        (required(expression("a", "Gt", "4")), {"labels": {"a": "5"}}, ""),
        (required(expression("a", "Gt", "4")), {"labels": {"a": "4"}}, "nodeAffinity: not a Gt 4"),
        (required(expression("a", "Lt", "4")), {"labels": {"a": "many"}},
         "nodeAffinity: not a Lt 4"),
        (required(expression("a", "Exists"), FIELDS), {}, ""),
        (required({}), {}, "nodeAffinity: not an empty term"),
        ({}, {"taints": [{"key": "t"}]}, "taint t:NoSchedule"),
        ({"tolerations": [TOLERATES]}, {"taints": [{"key": "t", "effect": "NoExecute"}]}, ""),
        ({"tolerations": [{"key": "t", "value": "1"}]}, {"taints": [{"key": "t", "value": "2"}]},
         "taint t=2:NoSchedule"),
        ({"tolerations": [{"operator": "Exists"}]}, {"taints": [{"key": "t"}]}, ""),
        ({"tolerations": [{**TOLERATES, "effect": "NoExecute"}]}, {"taints": [{"key": "t"}]},
         "taint t:NoSchedule"),
    ],
)  # fmt: skip
def test_whether_a_node_suits_a_pod(
    spec: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    alpha = node(**fields)
    pod = msgspec.convert(spec_of(**spec), PodSpec)
    assert fit_node(pod, "alpha", alpha, node_labels("alpha", alpha, None)).reason == reason


def test_taints_that_ask_and_weights_choose_among_nodes_that_suit() -> None:
    avoid = node(taints=[{"key": "t", "effect": "PreferNoSchedule"}])
    nodes = {"alpha": avoid, "beta": node(labels={"disk": "ssd"}), "gamma": node()}
    wish = {"weight": 3, "preference": expression("disk", "In", "ssd")}
    likes = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    placed = place_cloud(
        cloud(*(workload(f"w{number}", spec_of(affinity=likes)) for number in range(20)),
              workload("two", replicas=2), workload("four", replicas=4), nodes=nodes), Lock()
    )  # fmt: skip
    assert {tuple(placed.of(f"w{number}")) for number in range(20)} == {("beta",)}
    assert on(placed, "two") == {"beta": 1, "gamma": 1}
    assert on(placed, "four") == {"beta": 2, "gamma": 2}


def anti(key: str, app: str, word: str = "required") -> dict[str, Any]:
    term: dict[str, Any] = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    if word == "preferred":
        term = {"weight": 1, "podAffinityTerm": term}
    return {"podAntiAffinity": {f"{word}DuringSchedulingIgnoredDuringExecution": [term]}}


@pytest.mark.parametrize("word", ["required", "preferred"])
def test_pods_keep_apart_both_ways(word: str) -> None:
    nodes = {"alpha": node(zone="a"), "beta": node(zone="a"), "gamma": node(zone="b")}
    for number in range(10):
        # "db" says it of "web"; the larger one is placed first.
        for sizes in (("1M", "2M"), ("2M", "1M")):
            db = workload(f"db{number}", asking(sizes[0], affinity=anti("zone", "web", word)))
            placed = place_cloud(cloud(db, workload("web", asking(sizes[1])), nodes=nodes), Lock())
            zones = {nodes[place].zone for name in placed.where for place in placed.of(name)}
            assert zones == {"a", "b"}


def test_own_replicas_keep_apart_and_the_one_too_many_is_told() -> None:
    nodes = {"alpha": node(zone="a"), "beta": node(zone="a"), "gamma": node(zone="b")}
    web = workload("web", spec_of(affinity=anti("zone", "web")), 3)
    placed = place_cloud(cloud(web, nodes=nodes), Lock())
    assert sum(on(placed, "web").values()) == 2
    (problem,) = words(placed)
    assert problem.startswith("no node takes 1 of the 3 replicas of 'web':\n  alpha: podAnti")
    assert "gamma: podAntiAffinity: zone=b has such a pod" in problem


def spreading(key: str, **fields: Any) -> dict[str, Any]:
    constraint = {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
                  "labelSelector": {"matchLabels": {"app": "web"}}, **fields}  # fmt: skip
    return {"topologySpreadConstraints": [constraint]}


def test_spread_over_a_label() -> None:
    nodes = {"alpha": node(zone="a"), "beta": node(zone="a"), "gamma": node(zone="b"),
             "delta": node()}  # fmt: skip
    names = tuple(nodes)

    def placed(spec: dict[str, Any], replicas: int) -> Placements:
        web = workload("web", spec_of(**spec), replicas, names)
        return place_cloud(cloud(web, nodes=nodes), Lock())

    four = placed(spreading("zone"), 4)
    assert on(four, "web") == {"alpha": 1, "beta": 1, "gamma": 2}
    too_few = placed(spreading("zone", minDomains=3), 3)
    assert on(too_few, "web").keys() & {"gamma"}
    assert sum(on(too_few, "web").values()) == 2
    assert "delta: no label zone" in words(too_few)[0]
    assert "zone=a has 1, another place 0; maxSkew is 1" in words(too_few)[0]
    anyway = placed(spreading("zone", whenUnsatisfiable="ScheduleAnyway"), 4)
    assert sum(on(anyway, "web").values()) == 4
    assert not anyway.problems


def test_ports_of_nodes_are_taken_once() -> None:
    port = {"ports": [{"containerPort": 80, "hostPort": 80}]}
    web = workload("web", spec_of(port), 2)
    other = workload("other", spec_of(port))
    placed = place_cloud(cloud(web, other), Lock())
    assert not placed.problems
    assert len(on(placed, "web").keys() | on(placed, "other").keys()) == 3
    third = place_cloud(cloud(web, other, workload("third", spec_of(port))), Lock())
    assert words(third) == [
        "no node takes 1 of the 2 replicas of 'web':\n"
        "  alpha: port 80/TCP is taken by another replica\n"
        "  beta: port 80/TCP is taken by 'other'\n"
        "  gamma: port 80/TCP is taken by 'third'"
    ]
    # Who may run in one place only comes first.
    for number in range(9):
        choosy = workload("z", spec_of(port, nodeSelector={"name": "beta"}))
        placed = place_cloud(cloud(choosy, workload(f"a{number}", spec_of(port), 2)), Lock())
        assert not placed.problems
    service = msgspec.convert(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
         "spec": {"type": "NodePort", "selector": {"app": "w"}, "ports": [{"port": 80}]}},
        Service,
    )  # fmt: skip
    three = workload("w", replicas=4)
    placed = place_cloud(cloud(three, services={"s": service}), Lock(node_ports={"s/80": 30080}))
    assert "alpha: port 30080/TCP is taken by another replica" in words(placed)[0]


def test_a_daemon_set_passes_by_nodes_that_do_not_suit_it() -> None:
    nodes = {"alpha": node(), "beta": node(taints=[{"key": "t"}]), "gamma": node(cordon=[])}
    made = manifest("agent", spec_of(), "DaemonSet")
    agent = workload("agent", None, None, made=made)
    placed = place_cloud(cloud(agent, nodes=nodes), Lock())
    assert on(placed, "agent") == {"alpha": 1, "gamma": 1}
    assert not placed.problems
    assert not placed.held
    pinned = workload("pinned", None, None)
    assert words(place_cloud(cloud(pinned, nodes=nodes), Lock())) == [
        "'pinned' is placed on beta by name, but:\n  beta: taint t:NoSchedule"
    ]


def test_a_volume_keeps_its_workload() -> None:
    data = {"data": claim("data")}
    blog = workload("blog", claiming("data"), 2)
    first = place_cloud(cloud(blog, claims=data), Lock())
    (home,) = first.of("blog")
    assert on(first, "blog") == {home: 2}
    assert first.claims == {"data": home}
    lock = Lock(claims=first.claims)
    again = place_cloud(cloud(blog, workload("other", claiming("data")), claims=data), lock)
    assert on(again, "other") == {home: 1}

    lost = place_cloud(cloud(blog, claims=data, absent=(home,)), lock)
    assert lost.of("blog") == {}
    (held,) = lost.held
    assert held.describe() == (
        f"blog is not moved and does not run: its volume data is on {home}, which is left out\n"
        f"  bring {home} back; or restore the volume elsewhere; or start it with an empty one: "
        "skerry apply --abandon-volume data"
    )
    given_up = place_cloud(cloud(blog, claims=data, absent=(home,), abandoned=("data",)), lock)
    (new,) = given_up.of("blog")
    assert new != home
    assert given_up.claims == {"data": new}
    assert not given_up.held

    names = ("alpha", "beta", "gamma")
    drained = {name: node(cordon=[] if name == home else None) for name in names}
    stays = place_cloud(cloud(blog, claims=data, nodes=drained), lock)
    assert on(stays, "blog") == {home: 2}
    assert stays.held[0].runs
    gone = {name: node() for name in names if name != home}
    left = workload("blog", claiming("data"), 1, tuple(gone))
    removed = place_cloud(cloud(left, claims=data, nodes=gone), lock)
    assert "which is not in the cloud any more" in removed.held[0].describe()
    assert not removed.problems


def test_a_new_volume_goes_where_the_disk_has_room() -> None:
    lock = Lock(nodes={"alpha": NodeFacts(disk=3 * 10**9), "beta": NodeFacts(disk=30 * 10**9),
                       "gamma": NodeFacts(disk=10**9)})  # fmt: skip
    data = {"data": claim("data", "20G")}
    placed = place_cloud(cloud(workload("blog", claiming("data")), claims=data), lock)
    assert on(placed, "blog") == {"beta": 1}
    full = cloud(workload("blog", claiming("data")), claims={"data": claim("data", "40G")})
    assert (
        "alpha: 3.0 GB of disk are free, the volume asks 40.0" in words(place_cloud(full, lock))[0]
    )


def test_replicas_of_a_stateful_set_stay_with_their_volumes() -> None:
    template = {
        "metadata": {"name": "d"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1G"}}},
    }
    made = manifest("db", spec_of(), "StatefulSet", volumeClaimTemplates=[template])
    db = workload("db", None, 3, made=made)
    first = place_cloud(cloud(db), Lock())
    homes = {number: place for place, numbers in first.of("db").items() for number in numbers}
    assert sorted(homes) == [0, 1, 2]
    assert first.claims == {f"d-db-{number}": homes[number] for number in homes}
    lock = Lock(claims=first.claims)
    lost = place_cloud(cloud(db, absent=(homes[1],)), lock)
    left = {number: place for place, numbers in lost.of("db").items() for number in numbers}
    assert left == {number: homes[number] for number in (0, 2)}
    assert lost.held[0].claims == ("d-db-1",)
    # One more is placed anew, and the others stay.
    more = place_cloud(cloud(workload("db", None, 4, made=made)), lock)
    assert {number: place for place, numbers in more.of("db").items()
            for number in numbers if number < 3} == homes  # fmt: skip


def test_a_job_ends_where_it_began_while_its_node_is_there() -> None:
    made = msgspec.convert(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
         "spec": {"template": {"spec": spec_of(restartPolicy="Never")}}},
        Job,
    )  # fmt: skip
    once = workload("once", None, 1, made=made)
    first = place_cloud(cloud(once), Lock())
    (home,) = first.of("once")
    lock, names = Lock(jobs=first.jobs), ("alpha", "beta", "gamma")
    drained = {name: node(cordon=[] if name == home else None) for name in names}
    assert place_cloud(cloud(once, nodes=drained), lock).where == first.where
    assert home not in place_cloud(cloud(once, nodes=drained), Lock()).of("once")
    lost = place_cloud(cloud(once, absent=(home,)), lock)
    assert sum(on(lost, "once").values()) == 1
    assert home not in lost.of("once")


def test_a_cordoned_node_keeps_what_it_had_and_gets_nothing_new() -> None:
    shapes = [workload(f"w{number}", replicas=2) for number in range(12)]
    before = place_cloud(cloud(*shapes), Lock())
    kept = [name for name in before.where if "beta" in before.of(name)]
    assert 0 < len(kept) < 12
    nodes = {"alpha": node(), "beta": node(cordon=kept[:-1]), "gamma": node()}
    after = place_cloud(cloud(*shapes, nodes=nodes), Lock())
    assert [name for name in after.where if "beta" in after.of(name)] == kept[:-1]
    assert all(after.of(name) == before.of(name) for name in kept[:-1])
    assert sum(on(after, kept[-1]).values()) == 2


def test_what_finds_no_room_when_a_node_is_left_out_is_told_and_the_rest_goes_on() -> None:
    lock = Lock(nodes={name: NodeFacts(memory=100 * MB, system=10 * MB)
                       for name in ("alpha", "beta", "gamma")})  # fmt: skip
    web = workload("web", asking("60M"), 3)
    small = workload("small", asking("20M"), 3)
    placed = place_cloud(cloud(web, small, absent=("beta",)), lock)
    assert not placed.problems
    assert on(placed, "web") == {"alpha": 1, "gamma": 1}
    told = {one.workload: one.describe() for one in placed.held}
    assert told["web"] == (
        "web: no node takes its replica from beta:\n"
        "  alpha: 100 MB, system 10, planned 80; web asks 60: 50 MB short\n"
        "  beta: left out\n"
        "  gamma: 100 MB, system 10, planned 80; web asks 60: 50 MB short"
    )
    assert set(told) == {"web", "small"}
