"""Which node runs which replica, where the replicas are not equal: those of StatefulSets and Jobs.

How many each node runs is what `place_replicas` says. Every pair of a replica's number and a node
has a rank, a hash, and the best pairs come first: when a node goes, the others keep what they
have, but for what makes room for its replicas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping


def place_ordinals(
    workload: str, ordinals: Iterable[int], counts: Mapping[str, int]
) -> dict[str, tuple[int, ...]]:
    """The numbers that each node runs, sorted, of as many as the `counts` of the nodes say."""
    open_ordinals, room = set(ordinals), dict(counts)
    ranked = [(_rank(workload, one, node), one, node) for one in open_ordinals for node in room]
    placed: dict[str, list[int]] = {node: [] for node in sorted(counts)}
    for _, ordinal, node in sorted(ranked):
        if ordinal in open_ordinals and room[node] > 0:
            room[node] -= 1
            open_ordinals.remove(ordinal)
            placed[node].append(ordinal)
    return {node: tuple(sorted(numbers)) for node, numbers in placed.items() if numbers}


def _rank(workload: str, ordinal: int, node: str) -> bytes:
    text = f"{workload}\0{ordinal}\0{node}"
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
