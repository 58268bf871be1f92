"""Placement: counts, spread, and that a node that comes or goes moves only its own share."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.compile.placement.place import place_replicas

# No deadline: the machine may be busy.
examples = settings(max_examples=60, deadline=None)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
NODES = st.dictionaries(NAMES, st.sampled_from(["", "a", "b", "c", "d"]), min_size=1, max_size=14)
COUNTS = st.integers(0, 40)


def place(workload: str, replicas: int, labels: dict[str, str]) -> Counter[str]:
    return Counter(place_replicas(workload, replicas, list(labels), values=labels))


@examples
@given(NAMES, COUNTS, NODES)
def test_all_are_placed_and_no_node_doubles_before_all_have_one(
    workload: str, replicas: int, labels: dict[str, str]
) -> None:
    placed = place(workload, replicas, labels)
    assert placed.total() == replicas
    assert set(placed) <= set(labels)
    counts = [placed[node] for node in labels]
    assert max(counts) - min(counts) <= 1


@examples
@given(NAMES, COUNTS, NODES, st.randoms())
def test_order_of_the_nodes_means_nothing(
    workload: str, replicas: int, labels: dict[str, str], dice: Random
) -> None:
    nodes = list(labels)
    dice.shuffle(nodes)
    shuffled = {node: labels[node] for node in nodes}
    assert place(workload, replicas, labels) == place(workload, replicas, shuffled)


@examples
@given(NAMES, COUNTS, NODES, st.data())
def test_lost_node_moves_only_its_own(
    workload: str, replicas: int, labels: dict[str, str], draw: st.DataObject
) -> None:
    before = place(workload, replicas, labels)
    lost = draw.draw(st.sampled_from(sorted(labels)))
    left = {node: value for node, value in labels.items() if node != lost}
    after = place(workload, replicas, left)
    assert all(after[node] >= before[node] for node in left)
    if left:
        assert sum(after[node] - before[node] for node in left) == before[lost]


@examples
@given(NAMES, COUNTS, NODES, NAMES, st.sampled_from(["", "a", "b", "e"]))
def test_new_node_takes_only_its_own_share(
    workload: str, replicas: int, labels: dict[str, str], name: str, value: str
) -> None:
    old = {node: label for node, label in labels.items() if node != name}
    before, after = place(workload, replicas, old), place(workload, replicas, {**old, name: value})
    assert all(after[node] <= before[node] for node in old)


@examples
@given(NAMES, NODES, st.data())
def test_replicas_go_to_different_values_first(
    workload: str, labels: dict[str, str], draw: st.DataObject
) -> None:
    replicas = draw.draw(st.integers(0, len(labels)))
    placed = place(workload, replicas, labels)
    sizes = Counter(labels.values())
    per_value = Counter(labels[node] for node in placed)
    assert len(per_value) == min(replicas, len(sizes))
    # One value has two more than another only where the other's nodes are all taken.
    for value, size in sizes.items():
        if per_value[value] < size:
            assert max(per_value.values(), default=0) - per_value[value] <= 1


def test_workloads_do_not_all_choose_the_same_nodes() -> None:
    nodes = [f"node{number}" for number in range(10)]
    chosen = Counter(
        node for number in range(1000) for node in place_replicas(f"pod{number}", 1, nodes)
    )
    assert min(chosen.values()) > 60
    assert max(chosen.values()) < 140


def test_placement_stays_as_it_is_from_version_to_version() -> None:
    nodes = ["alpha", "attic", "beta", "delta", "gamma"]
    values = {
        "alpha": "hetzner",
        "delta": "hetzner",
        "beta": "ovh",
        "gamma": "ovh",
        "attic": "home",
    }
    placed = {
        "blog 2": place_replicas("blog", 2, nodes),
        "wiki 3": place_replicas("wiki", 3, nodes),
        "wiki 3 spread": place_replicas("wiki", 3, nodes, values=values),
        "queue 7": place_replicas("queue", 7, nodes),
        "none": place_replicas("queue", 0, nodes),
        "nowhere": place_replicas("queue", 3, []),
    }
    assert placed == {
        "blog 2": {"delta": 1, "gamma": 1},
        "wiki 3": {"beta": 1, "delta": 1, "gamma": 1},
        "wiki 3 spread": {"attic": 1, "beta": 1, "delta": 1},
        "queue 7": {"alpha": 2, "attic": 1, "beta": 1, "delta": 2, "gamma": 1},
        "none": {},
        "nowhere": {},
    }
