"""Where everything of a cloud runs.

First all workloads are placed on all nodes that are listed; then what is on nodes that are away
or cordoned goes to others, while everything else stays. So a drained or lost node moves what it
had and nothing more, also where memory is short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from skerry.compile.lock import Lock
from skerry.compile.placement.candidates import Fit
from skerry.compile.placement.held import Held
from skerry.compile.placement.placing import Placing, Where
from skerry.compile.placement.volume_claims import claims_of_ordinal, shared_claims, storage_of
from skerry.errors import Problem
from skerry.model.cloud import Cloud, Workload
from skerry.model.daemonset import DaemonSet


class Placements(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything runs.

    `where` is the result, and `before` what it would be with no node away or cordoned. `claims`
    are those of the lock and the new ones, `jobs` where the lanes of jobs are. `problems` are
    errors of the folder, `held` is what is not moved.
    """

    where: Where
    before: Where
    claims: dict[str, str]
    jobs: dict[str, str] = {}
    problems: tuple[Problem, ...] = ()
    held: tuple[Held, ...] = ()

    def of(self, workload: str) -> dict[str, tuple[int, ...]]:
        """The ordinals of the replicas that each node runs; a node that runs none is left out."""
        return self.where.get(workload, {})


def place_cloud(cloud: Cloud, lock: Lock) -> Placements:
    """Places all workloads of the cloud."""
    return _Replacing(cloud, lock).run()


class _Replacing(Placing):
    """Both passes."""

    def run(self) -> Placements:
        order = sorted(self.cloud.workloads.values(), key=self.order_key)
        for workload in order:
            self.board.pods[workload.name] = {}
            self.place(workload)
            self.board.add(workload)
        before = self.where()
        if self.cloud.absent or any(node.cordon is not None for node in self.cloud.nodes.values()):
            self._replace(order)
        return Placements(
            where=self.where(),
            before=before,
            claims=dict(sorted(self.claims.items())),
            jobs=self.jobs(),
            problems=tuple(self.problems),
            held=tuple(self.held),
        )

    # The second pass: what nodes that are away or cordoned had

    def _replace(self, order: Sequence[Workload]) -> None:
        """Gives what cannot stay where it is to other nodes; all else keeps its place."""
        displaced = {workload.name: self._displace(workload) for workload in order}
        for workload in order:
            leaving = displaced[workload.name]
            if leaving:
                self._place_again(workload, leaving)

    def _displace(self, workload: Workload) -> list[tuple[str, int]]:
        """Takes replicas off nodes that may not have them: the nodes, with their numbers."""
        pods = self.board.pods[workload.name]
        ask = self.board.ask_of(workload)
        leaving: list[tuple[str, int]] = []
        for node in sorted(pods):
            away = self.away(workload, node)
            if not away:
                continue
            numbers = self._numbers_on(workload, node)
            for number in numbers:
                if node not in self.cloud.absent and self.has_begun(workload, number, node):
                    continue
                claims = self._old_claims_of(workload, number)
                if claims and node not in self.cloud.absent:
                    self.hold_claim(workload, node, claims, 1, away, why="claim-stays")
                    continue
                self.board.give_back(node, workload.name, ask)
                pods[node] -= 1
                if claims:
                    self.hold_claim(workload, node, claims, 1, away)
                else:
                    leaving.append((node, number))
                self.numbered.get(workload.name, {}).pop(number, None)
            if not pods[node]:
                del pods[node]
        return leaving

    def _numbers_on(self, workload: Workload, node: str) -> list[int]:
        if workload.name in self.numbered:
            found = self.numbered[workload.name]
            return [number for number in sorted(found) if found[number] == node]
        return list(range(self.board.pods[workload.name][node]))

    def _old_claims_of(self, workload: Workload, number: int) -> tuple[str, ...]:
        """The replica's volumes that exist since before this pass, and cannot move."""
        names = (*shared_claims(workload), *claims_of_ordinal(workload, number))
        return tuple(name for name in names if name in self._old_claims)

    def _place_again(self, workload: Workload, leaving: Sequence[tuple[str, int]]) -> None:
        nodes = sorted({node for node, _ in leaving})
        if workload.replicas is None and not shared_claims(workload):
            for node in nodes:
                if not isinstance(workload.manifest, DaemonSet):
                    away = self.away(workload, node)
                    self.held.append(Held(workload=workload.name, count=1, why="by-name",
                                          node=node, away=away))  # fmt: skip
            return
        fits = self._left_fits(workload)
        if shared_claims(workload):
            self._start_elsewhere(workload, fits, nodes, len(leaving))
            return
        if workload.ordinals:
            numbers = [number for _, number in leaving]
            for number in numbers:
                for claim in claims_of_ordinal(workload, number):
                    self.claims.pop(claim, None)
            missing = len(self.place_numbers(workload, numbers, fits, is_first=False))
        else:
            count = len(leaving)
            missing = count - len(self.place_count(workload, count, fits, is_first=False))
        if missing:
            self._hold_count(workload, nodes, missing, fits)

    def _start_elsewhere(
        self, workload: Workload, fits: Mapping[str, Fit], nodes: list[str], count: int
    ) -> None:
        """A workload whose volume is new, and so nowhere yet."""
        names = shared_claims(workload)
        needed = storage_of(self.cloud, names)
        for claim in names:
            del self.claims[claim]
        first = self.place_count(workload, 1, self.with_disk(fits, needed), is_first=False)
        if not first:
            self._hold_count(workload, nodes, count, fits)
            return
        self.claims.update(dict.fromkeys(names, first[0]))
        self.finish_together(workload, first[0], count, placed=1)

    def _hold_count(
        self, workload: Workload, nodes: list[str], count: int, fits: Mapping[str, Fit]
    ) -> None:
        rules = self.board.rules_of(workload, fits)
        self.held.append(
            Held(
                workload=workload.name,
                count=count,
                why="no-room",
                node=" and ".join(nodes),
                reasons=tuple(self.reasons(workload, fits, rules)),
            )
        )

    def _left_fits(self, workload: Workload) -> dict[str, Fit]:
        """Those that are neither away nor cordoned."""
        return {
            node: fit
            for node, fit in self.fits(workload).items()
            if node not in self.cloud.absent and self.cloud.nodes[node].cordon is None
        }
