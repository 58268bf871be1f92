"""Numbered replicas: all placed, evenly, and the loss of a node moves little else."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from skerry.compile.placement.ordinals import place_ordinals
from skerry.compile.placement.place import place_replicas

NODES = [f"node{number}" for number in range(12)]
examples = settings(max_examples=100, deadline=None)


@examples
@given(st.text(min_size=1, max_size=8), st.integers(0, 9), st.integers(0, 30), st.integers(1, 12))
def test_every_number_has_one_node(workload: str, start: int, count: int, nodes: int) -> None:
    counts = place_replicas(workload, count, NODES[:nodes])
    placed = place_ordinals(workload, range(start, start + count), counts)
    numbers = sorted(one for several in placed.values() for one in several)
    assert numbers == list(range(start, start + count))
    assert {node: len(several) for node, several in placed.items()} == counts


def test_a_lost_node_moves_little_but_its_own() -> None:
    dice, own, others = Random(1), 0, 0
    for number in range(200):
        nodes = dice.sample(NODES, dice.randint(3, 9))
        count, name, lost = dice.randint(1, 12), f"w{number}", nodes[0]
        before = places(name, count, nodes)
        after = places(name, count, nodes[1:])
        moved = [one for one in before if before[one] != after[one]]
        own += sum(before[one] == lost for one in moved)
        others += sum(before[one] != lost for one in moved)
    assert others < own


def places(name: str, count: int, nodes: list[str]) -> dict[int, str]:
    placed = place_ordinals(name, range(count), place_replicas(name, count, sorted(nodes)))
    return {one: node for node, several in placed.items() for one in several}
