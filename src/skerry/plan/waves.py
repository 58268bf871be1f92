"""Which nodes are switched together and which one after another. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from skerry.compile.rolling.strategy import Strategy
from skerry.plan.changes import Change


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A node and what changes there."""

    node: str
    changes: tuple[Change, ...]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How many replicas of a workload may be `down` at a time, and how many run beyond them."""

    down: int
    surge: int


# How many replicas of a workload a node may replace at a time.
Granted = dict[str, int]
Waves = tuple[tuple[str, ...], ...]


def plan_waves(
    nodes: Sequence[Wanted], strategies: Mapping[str, Strategy], budgets: Mapping[str, Budget]
) -> tuple[Waves, dict[str, Granted], tuple[str, ...]]:
    """The waves, what each node is granted, and notes on orders that cannot be kept.

    A node is in the first wave in which it neither has to wait for another one nor takes more of
    a workload than is left. Nodes that wait for each other in a circle go one by one.
    """
    waits = _waits(nodes, strategies)
    # For each node those that wait for it, so that only what is concerned is looked at again.
    followers: dict[str, list[str]] = {node.node: [] for node in nodes}
    for name, several in waits.items():
        for other in several:
            followers[other].append(name)
    place = {node.node: index for index, node in enumerate(nodes)}
    needs = {node.node: _needs(node, budgets) for node in nodes}
    left = dict.fromkeys(place)
    open_waits = {name: set(several) for name, several in waits.items()}
    free = [name for name in left if not open_waits[name]]
    waves: list[tuple[str, ...]] = []
    granted: dict[str, Granted] = {}
    notes: list[str] = []
    while left:
        if not free:
            name = _one_of_a_circle(next(iter(left)), open_waits)
            notes += [waits[name][other] for other in sorted(open_waits[name])]
            open_waits[name].clear()
            free = [name]
        wave = _fill(free, needs, budgets, granted)
        waves.append(tuple(wave))
        free = [name for name in free if name not in granted]
        for name in wave:
            del left[name]
            for follower in followers[name]:
                if name in open_waits[follower]:
                    open_waits[follower].remove(name)
                    if not open_waits[follower]:
                        insort(free, follower, key=place.__getitem__)
    return tuple(waves), granted, tuple(dict.fromkeys(notes))


def _one_of_a_circle(name: str, waits: Mapping[str, set[str]]) -> str:
    """One of the nodes that wait for each other, reached from a node that waits for one."""
    seen = set[str]()
    while name not in seen:
        seen.add(name)
        name = min(waits[name])
    return name


def _needs(node: Wanted, budgets: Mapping[str, Budget]) -> dict[tuple[str, str], int]:
    """What the node's changes take of the budgets: how many by workload and kind."""
    needs: dict[tuple[str, str], int] = {}
    for change in node.changes:
        if change.workload in budgets and _costs(change):
            key: tuple[str, str] = (change.workload, change.kind)
            needs[key] = needs.get(key, 0) + 1
    return needs


def _fill(
    names: Sequence[str],
    needs: Mapping[str, Mapping[tuple[str, str], int]],
    budgets: Mapping[str, Budget],
    granted: dict[str, Granted],
) -> list[str]:
    """The nodes of one wave; what they are granted goes to `granted`."""
    left: dict[tuple[str, str], int] = {}
    spent = set[tuple[str, str]]()
    wave = []
    for name in names:
        wanted = needs[name]
        if not spent.isdisjoint(wanted):
            continue
        for workload, kind in wanted.keys() - left.keys():
            budget = budgets[workload]
            left[workload, kind] = budget.down if kind == "replace" else budget.surge
            if left[workload, kind] < 1:
                spent.add((workload, kind))
        if not spent.isdisjoint(wanted):
            continue
        grant = {key: min(count, left[key]) for key, count in wanted.items()}
        for key, count in grant.items():
            left[key] -= count
            if left[key] < 1:
                spent.add(key)
        granted[name] = {
            workload: min(count for (one, _), count in grant.items() if one == workload)
            for workload, _ in grant
        }
        wave.append(name)
    return wave


def _costs(change: Change) -> bool:
    """Whether the change takes something from a budget: what is down already cannot go down."""
    return change.kind == "beside" or (change.kind == "replace" and change.is_up)


def _waits(
    nodes: Sequence[Wanted], strategies: Mapping[str, Strategy]
) -> dict[str, dict[str, str]]:
    """For each node those that it has to wait for, and what it means if it cannot."""
    waits: dict[str, dict[str, str]] = {node.node: {} for node in nodes}
    found: dict[str, list[tuple[str, Change]]] = {}
    for node in nodes:
        for change in node.changes:
            found.setdefault(change.workload, []).append((node.node, change))
    for workload, changes in sorted(found.items()):
        strategy = strategies.get(workload)
        if strategy is None:
            continue
        for first, then, note in _orders(workload, changes, strategy):
            if first != then:
                waits[then].setdefault(first, note)
    return waits


def _orders(
    workload: str, changes: list[tuple[str, Change]], strategy: Strategy
) -> Iterable[tuple[str, str, str]]:
    """Pairs of nodes of which the first has to be done before the other, with the note."""
    made = [(node, one.replica) for node, one in changes if one.kind == "create"]
    # Those that run first: they are what must not be missing.
    gone = [
        (node, one.replica)
        for node, one in sorted(changes, key=lambda pair: not pair[1].is_up)
        if one.kind == "remove"
    ]
    if strategy.is_numbered:
        yield from _numbered_orders(workload, changes, strategy)
        homes = {number: new for new, number in made}
        for old, number in gone:
            if number in homes:
                words = f"{workload}: number {number} is made before the old one goes"
                yield old, homes[number], words
        return
    if not strategy.at_once:
        # As many as come may go: each that goes waits for one that is up in its stead.
        for (old, _), (new, _) in zip(gone, made, strict=False):
            yield new, old, f"{workload}: a replica goes from {old} before it is up on {new}"
        return
    for old, _ in gone:
        for new, _ in made:
            yield old, new, f"{workload}: an old replica is not down before a new one starts"
        for node, one in changes:
            if one.kind == "replace":
                yield old, node, f"{workload}: an old replica is not down before a new starts"


def _numbered_orders(
    workload: str, changes: list[tuple[str, Change]], strategy: Strategy
) -> Iterable[tuple[str, str, str]]:
    note = f"{workload}: the order of its numbers is not kept: a node changes as a whole"
    sequence = in_order(changes, strategy)
    for before, after in pairwise(sequence):
        yield before[0], after[0], note
    # As many may be down as the budget says, so the one that far ahead has to be done.
    replaced = [node for node, one in _highest_first(changes, "replace")]
    step = strategy.max_unavailable
    for first, then in zip(replaced, replaced[step:], strict=False):
        yield first, then, note
    for node in replaced[:step] if sequence else ():
        yield sequence[-1][0], node, note


def in_order(changes: Sequence[tuple[str, Change]], strategy: Strategy) -> list[tuple[str, Change]]:
    """The replicas that are made or removed one after another; none where all go at once.

    As Kubernetes does it: those that are missing are made, the lowest number first; then those
    that are too many are removed, the highest first.
    """
    if not strategy.is_ordered:
        return []
    made = [pair for pair in changes if pair[1].kind == "create"]
    return [
        *sorted(made, key=lambda pair: pair[1].replica),
        *_highest_first(changes, "remove"),
    ]


def _highest_first(changes: Sequence[tuple[str, Change]], kind: str) -> list[tuple[str, Change]]:
    return sorted(
        (pair for pair in changes if pair[1].kind == kind), key=lambda pair: -pair[1].replica
    )
