"""Which nodes run the replicas of a workload: rendezvous hashing, spread first.

Every node has a rank for a workload, a hash of both names, and the best ranks get the replicas: a
node that goes leaves the ranks of the others as they are, so that only what ran there moves, and
one that comes takes only its own share. Replicas of a workload are equal, so it is their number on
each node that counts; where they are not (a StatefulSet), `place_ordinals` says which is where.

Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from typing import Protocol

import msgspec

from skerry.compile.placement.candidates import PLAIN_FIT, Fit
from skerry.compile.placement.topology import Rule

Rank = bytes


class Room(Protocol):
    """What nodes have left, and what a replica takes of it."""

    def fits(self, node: str) -> bool:
        """Whether one more replica fits on the node."""

    def take(self, node: str) -> None:
        """A replica is placed there."""


class Endless:
    """Room without end."""

    def fits(self, node: str) -> bool:
        return True

    def take(self, node: str) -> None:
        pass


class Choice(msgspec.Struct, kw_only=True):
    """What a workload's replicas are placed by.

    `fits` are the candidates. `values` has the label to spread over by node; nodes without it
    share the empty value. `counts` says how many replicas nodes have already.
    """

    workload: str
    fits: Mapping[str, Fit]
    rules: Sequence[Rule] = ()
    values: Mapping[str, str] | None = None
    counts: dict[str, int] = {}
    room: Room = Endless()


def choose_nodes(choice: Choice, replicas: int) -> list[str]:
    """The nodes of so many further replicas, in the order of their choice.

    Fewer come back where no candidate may take one more. In this order: nodes whose taints say
    nothing against it; rules of topology; no node gets a second one before all have one; as many
    different values as there are; nodes that are preferred; the rank.
    """
    if replicas <= 0 or not choice.fits:
        return []
    groups = _make_groups(choice)
    rounds = _Rounds(choice)
    chosen: list[str] = []
    while len(chosen) < replicas:
        best: tuple[object, ...] | None = None
        best_group: _Group | None = None
        for group in groups:
            key = group.key(rounds)
            if key is not None and (best is None or key < best):
                best, best_group = key, group
        if best_group is None:
            break
        node = best_group.take()
        rounds.add(node, choice.counts.get(node, 0))
        choice.counts[node] = choice.counts.get(node, 0) + 1
        for rule in choice.rules:
            rule.add(node)
        choice.room.take(node)
        best_group.put_back(node)
        chosen.append(node)
        # Room that is gone does not come back: such groups need not be looked at again.
        groups = [group for group in groups if group.nodes]
    return chosen


def place_replicas(
    workload: str,
    replicas: int,
    nodes: Sequence[str],
    *,
    values: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """How many replicas each of the equal `nodes` runs, where nothing else is to be looked at."""
    choice = Choice(
        workload=workload, fits=dict.fromkeys(nodes, PLAIN_FIT), values=values, counts={}
    )
    choose_nodes(choice, replicas)
    return dict(sorted(choice.counts.items()))


class _Group:
    """Candidates that no rule and no spread tells apart; the best one comes first."""

    def __init__(self, choice: Choice, sample: str, group_rank: Rank) -> None:
        self.choice = choice
        self.sample = sample
        self.value = (choice.values or {}).get(sample, "")
        self.group_rank = group_rank
        self.dislikes = choice.fits[sample].dislikes
        self.rules = [rule for rule in choice.rules if not rule.is_host]
        self.host_rules = [rule for rule in choice.rules if rule.is_host]
        self.nodes: list[tuple[tuple[int, ...], int, int, Rank, str]] = []
        self._prefix = _prefix(choice.workload)

    def entry(self, node: str) -> tuple[tuple[int, ...], int, int, Rank, str]:
        """The node with what it is sorted by within the group."""
        return (
            tuple(rule.weigh(node) for rule in self.host_rules),
            self.choice.counts.get(node, 0),
            -self.choice.fits[node].likes,
            rank(self._prefix, node),
            node,
        )

    def key(self, rounds: _Rounds) -> tuple[object, ...] | None:
        """What the group's best node is compared by with those of others; None without one."""
        if not all(rule.allows(self.sample) for rule in self.rules):
            return None
        while self.nodes:
            node = self.nodes[0][-1]
            if self.choice.room.fits(node) and not any(
                rule.is_full(node) for rule in self.host_rules
            ):
                break
            heappop(self.nodes)
        if not self.nodes:
            return None
        on_host, count, likes, rank_, node = self.nodes[0]
        if not all(rule.allows(node) for rule in self.host_rules):
            return None
        return (
            self.dislikes,
            tuple(rule.weigh(self.sample) for rule in self.rules),
            on_host,
            count,
            rounds.count(self.value, count),
            likes,
            self.group_rank,
            rank_,
            node,
        )

    def take(self) -> str:
        """The best node's name; it stays until `put_back`."""
        return self.nodes[0][-1]

    def put_back(self, node: str) -> None:
        """Sorts the best node in anew, with one replica more."""
        heapreplace(self.nodes, self.entry(node))


class _Rounds:
    """How many nodes of each value of the label to spread over are a replica ahead."""

    def __init__(self, choice: Choice) -> None:
        self._values = choice.values or {}
        self._ahead: dict[str, dict[int, int]] = {}
        for node, count in choice.counts.items():
            for number in range(count):
                self.add(node, number)

    def add(self, node: str, count: int) -> None:
        """The node, which had `count`, has one more."""
        ahead = self._ahead.setdefault(self._values.get(node, ""), {})
        ahead[count] = ahead.get(count, 0) + 1

    def count(self, value: str, count: int) -> int:
        """How many nodes with the value have more than `count`."""
        return self._ahead.get(value, {}).get(count, 0)


def _make_groups(choice: Choice) -> list[_Group]:
    groups: dict[tuple[object, ...], _Group] = {}
    values = choice.values or {}
    prefix = _prefix(f"{choice.workload}\0value")
    ranks = {value: rank(prefix, value) for value in set(values.values()) | {""}}
    rules = [rule for rule in choice.rules if not rule.is_host]
    for node, fit in choice.fits.items():
        value = values.get(node, "")
        key = (fit.dislikes, value, *(rule.value_of(node) for rule in rules))
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(choice, node, ranks[value])
        group.nodes.append(group.entry(node))
    for group in groups.values():
        heapify(group.nodes)
    return list(groups.values())


def rank(prefix: hashlib.blake2b, name: str) -> Rank:
    """The rank of a name for what `prefix` was begun with; the lowest is the best."""
    seen = prefix.copy()
    seen.update(name.encode())
    return seen.digest()


def _prefix(name: str) -> hashlib.blake2b:
    return hashlib.blake2b(f"{name}\0".encode(), digest_size=8)
