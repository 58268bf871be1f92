"""Which nodes run the replicas of a workload: rendezvous hashing, spread first.

Every node has a rank for a workload, a hash of both names, and the best ranks get the replicas: a
node that goes leaves the ranks of the others as they are, so that only what ran there moves, and
one that comes takes only its own share. Replicas of a workload are equal, so it is their number on
each node that counts.

Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence


def place_replicas(
    workload: str,
    replicas: int,
    nodes: Sequence[str],
    *,
    values: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """How many replicas each of the candidates `nodes` runs; one that runs none is left out.

    No node gets a second one before all have one. What cannot be shared out evenly goes to as
    many different `values` as there are: those of the label to spread over, by node; nodes
    without one share the empty value.
    """
    if not nodes or replicas <= 0:
        return {}
    for_all, rest = divmod(replicas, len(nodes))
    groups: dict[str, list[str]] = {}
    for node in _ranked(workload, nodes):
        groups.setdefault((values or {}).get(node, ""), []).append(node)
    shares = _share_out(workload, rest, {value: len(group) for value, group in groups.items()})
    one_more = {node for value, group in groups.items() for node in group[: shares[value]]}
    counts = {node: for_all + (node in one_more) for node in sorted(nodes)}
    return {node: count for node, count in counts.items() if count}


def _share_out(workload: str, amount: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Shares out `amount` as evenly as the groups' sizes let it; a remainder goes by rank."""
    shares = dict.fromkeys(sizes, 0)
    order = _ranked(f"{workload}\0value", sizes)
    while amount > 0:
        open_groups = [value for value in order if shares[value] < sizes[value]]
        each = min(sizes[value] - shares[value] for value in open_groups)
        each = min(each, amount // len(open_groups))
        if each == 0:
            for value in open_groups[:amount]:
                shares[value] += 1
            break
        for value in open_groups:
            shares[value] += each
        amount -= each * len(open_groups)
    return shares


def _ranked(workload: str, names: Sequence[str] | Mapping[str, int]) -> list[str]:
    """The names from the best rank to the worst."""
    prefix = hashlib.blake2b(f"{workload}\0".encode(), digest_size=8)

    def rank(name: str) -> tuple[bytes, str]:
        seen = prefix.copy()
        seen.update(name.encode())
        return seen.digest(), name

    return sorted(names, key=rank)
