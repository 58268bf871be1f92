"""The placing of workloads on the nodes that suit them: counts, numbers, volumes.

Those that cannot choose come first, then those that may choose among few, then the large ones:
they are the hardest to find room for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from skerry.compile.lock import Lock
from skerry.compile.placement.board import Ask, Board
from skerry.compile.placement.candidates import PLAIN_FIT, Fit, fit_node, has_needs, has_wishes
from skerry.compile.placement.held import Held
from skerry.compile.placement.memory import pod_memory
from skerry.compile.placement.ordinals import place_ordinals
from skerry.compile.placement.place import Choice, choose_nodes
from skerry.compile.placement.topology import Rule
from skerry.compile.placement.volume_claims import claims_of_ordinal, shared_claims, storage_of
from skerry.errors import Problem
from skerry.model.cloud import Cloud, Workload
from skerry.model.daemonset import DaemonSet
from skerry.model.job import Job

# More nodes than this are not listed one by one when nothing fits.
_SHOWN = 12

Where = dict[str, dict[str, tuple[int, ...]]]
"""The ordinals of the replicas by workload and node."""


class _Ledger:
    """The room of nodes for replicas of one workload."""

    def __init__(self, board: Board, workload: str, ask: Ask) -> None:
        self._board = board
        self._workload = workload
        self._ask = ask

    def fits(self, node: str) -> bool:
        return self._board.fits(node, self._ask)

    def take(self, node: str) -> None:
        self._board.take(node, self._workload, self._ask)


class Placing:
    """The workloads of a cloud on all nodes that are listed, one workload after the other."""

    def __init__(self, cloud: Cloud, lock: Lock) -> None:
        self.cloud = cloud
        self.lock = lock
        self.board = Board(cloud, lock)
        self.claims = {
            claim: node for claim, node in lock.claims.items() if claim not in cloud.abandoned
        }
        self.problems: list[Problem] = []
        self.held: list[Held] = []
        # By workload: the node of each number, or of each replica that has none.
        self.numbered: dict[str, dict[int, str]] = {}
        self._has_taints = any(node.taints for node in cloud.nodes.values())
        self._old_claims = dict(self.claims)

    def order_key(self, workload: Workload) -> tuple[bool, bool, bool, int, str]:
        """What the workloads are sorted by.

        Nothing of it depends on which nodes there are: one that goes changes no one's turn.
        """
        has_claim = any(claim in self.claims for claim in self._all_claims(workload))
        is_free = workload.replicas is not None
        may_choose = not (workload.placement.nodes or has_needs(workload.spec))
        return (
            is_free,
            is_free and not has_claim,
            may_choose,
            -pod_memory(workload.spec),
            workload.name,
        )

    def _all_claims(self, workload: Workload) -> list[str]:
        claims = list(shared_claims(workload))
        for ordinal in workload.ordinals:
            claims += claims_of_ordinal(workload, ordinal)
        return claims

    # The first pass: all nodes that are listed

    def place(self, workload: Workload) -> None:
        """Places all of a workload's replicas."""
        if shared_claims(workload):
            self.place_together(workload)
        elif workload.replicas is None:
            self._place_on_each(workload)
        elif workload.ordinals:
            self.place_numbers(workload, list(workload.ordinals), self.fits(workload))
        else:
            self.place_count(workload, workload.replicas, self.fits(workload))

    def _place_on_each(self, workload: Workload) -> None:
        """One replica on each of the nodes; a DaemonSet passes by those that do not suit it."""
        ask = self.board.ask_of(workload)
        fits = self.all_fits(workload)
        for node in workload.nodes:
            reason = fits[node].reason
            if reason and not isinstance(workload.manifest, DaemonSet):
                self.problem(workload, f"{workload.name!r} is placed on {node} by name, but:",
                              [f"{node}: {reason}"])  # fmt: skip
            if reason:
                continue
            if not self.board.rooms[node].fits(ask.memory):
                reason = self.board.rooms[node].explain(workload.name, ask.memory)
                self.problem(workload, f"there is no room for {workload.name!r}:",
                              [f"{node}: {reason}"])  # fmt: skip
            self.board.take(node, workload.name, ask)
            self.board.pods[workload.name][node] = 1

    def place_count(
        self, workload: Workload, count: int, fits: Mapping[str, Fit], *, is_first: bool = True
    ) -> list[str]:
        """Places so many equal replicas; what finds no place is a problem at first."""
        ask = self.board.ask_of(workload)
        rules = self.board.rules_of(workload, fits)
        choice = Choice(
            workload=workload.name,
            fits=fits,
            rules=rules,
            values=self.values(workload),
            counts=self.board.pods[workload.name],
            room=_Ledger(self.board, workload.name, ask),
        )
        chosen = choose_nodes(choice, count)
        if len(chosen) < count and is_first:
            self.problem(
                workload,
                _no_place(workload, count - len(chosen)),
                self.reasons(workload, fits, rules),
            )
        return chosen

    def place_numbers(
        self,
        workload: Workload,
        ordinals: Sequence[int],
        fits: Mapping[str, Fit],
        *,
        is_first: bool = True,
    ) -> list[int]:
        """Places replicas with numbers: where their volumes are, or anew; returns the others."""
        found = self.numbered.setdefault(workload.name, {})
        if not ordinals:
            return []
        free = []
        for ordinal in ordinals:
            claims = claims_of_ordinal(workload, ordinal)
            pins = {self.claims[claim] for claim in claims if claim in self.claims}
            if not pins and self._has_run_there(workload, ordinal, fits):
                found[ordinal] = self.lock.jobs[job_key(workload, ordinal)]
            elif not pins:
                free.append(ordinal)
            elif self.pin(workload, pins, claims, 1):
                found[ordinal] = min(pins)
        needed = storage_of(self.cloud, claims_of_ordinal(workload, ordinals[0]))
        fits = self.with_disk(fits, needed)
        chosen = self.place_count(workload, len(free), fits, is_first=is_first)
        placed = place_ordinals(workload.name, free[: len(chosen)], Counter(chosen))
        for node, numbers in placed.items():
            for ordinal in numbers:
                found[ordinal] = node
                self.claims.update(dict.fromkeys(claims_of_ordinal(workload, ordinal), node))
        return free[len(chosen) :]

    def _has_run_there(self, workload: Workload, ordinal: int, fits: Mapping[str, Fit]) -> bool:
        """Whether a job's lane was placed before on a node that still suits it; it is taken.

        A node that is added takes no share of what ran already: it would run there once more.
        """
        node = self.lock.jobs.get(job_key(workload, ordinal), "")
        ask = self.board.ask_of(workload)
        if not isinstance(workload.manifest, Job) or node not in fits:
            return False
        if not self.board.fits(node, ask):
            return False
        self.board.take(node, workload.name, ask)
        pods = self.board.pods[workload.name]
        pods[node] = pods.get(node, 0) + 1
        return True

    def has_begun(self, workload: Workload, ordinal: int, node: str) -> bool:
        """Whether it is a job's lane that was given to the node before.

        It ends where it began, on a cordoned node too: elsewhere it would run once more.
        """
        begun = self.lock.jobs.get(job_key(workload, ordinal))
        return isinstance(workload.manifest, Job) and begun == node

    def jobs(self) -> dict[str, str]:
        """The node of each lane of each job, for the lock."""
        return {
            job_key(workload, ordinal): node
            for name, workload in sorted(self.cloud.workloads.items())
            if isinstance(workload.manifest, Job)
            for ordinal, node in sorted(self.numbered.get(name, {}).items())
        }

    def place_together(self, workload: Workload) -> None:
        """All replicas on the node of their volume, which is chosen here where it is new."""
        names = shared_claims(workload)
        count = workload.replicas if workload.replicas is not None else len(workload.nodes)
        if workload.replicas is None and count > 1:
            self.problems.append(
                workload.placement.origin.problem(
                    f"{workload.name!r} would run on {count} nodes, and its volume {names[0]} is "
                    "a folder of one",
                    hint="a StatefulSet's volumeClaimTemplates give each replica its own",
                )
            )
            return
        pins = {self.claims[claim] for claim in names if claim in self.claims}
        if not pins:
            needed = storage_of(self.cloud, names)
            fits = self.with_disk(self.fits(workload), needed)
            first = self.place_count(workload, min(count, 1), fits)
            if not first:
                return
            self.claims.update(dict.fromkeys(names, first[0]))
            self.finish_together(workload, first[0], count, placed=1)
        elif self.pin(workload, pins, names, count):
            node = min(pins)
            fresh = [claim for claim in names if claim not in self.claims]
            if why := self.why_no_disk(node, storage_of(self.cloud, fresh)):
                head = f"{workload.name!r} must run on {node}, where its volume is:"
                self.problem(workload, head, [f"{node}: {why}"])
            self.claims.update(dict.fromkeys(names, node))

    def finish_together(self, workload: Workload, node: str, count: int, *, placed: int) -> None:
        """Places the replicas up to `count` on the node of their volume."""
        ask = self.board.ask_of(workload)
        pods = self.board.pods[workload.name]
        for _ in range(placed, count):
            if not self.board.fits(node, ask):
                reason = self.board.explain(node, workload.name, ask)
                head = f"{workload.name!r} must run on {node}, where its volume is:"
                self.problem(workload, head, [f"{node}: {reason}"])
            self.board.take(node, workload.name, ask)
            pods[node] = pods.get(node, 0) + 1
        if workload.ordinals:
            self.numbered[workload.name] = dict.fromkeys(workload.ordinals, node)

    def pin(self, workload: Workload, pins: set[str], claims: tuple[str, ...], count: int) -> bool:
        """Places replicas where their volumes are; False where that cannot be."""
        if len(pins) > 1:
            places = " and ".join(
                f"{claim} on {self.claims[claim]}" for claim in claims if claim in self.claims
            )
            self.problems.append(
                workload.placement.origin.problem(
                    f"the volumes of {workload.name!r} lie on different nodes: {places}",
                    hint="skerry apply --abandon-volume CLAIM starts with an empty one",
                )
            )
            return False
        (node,) = pins
        if node not in self.cloud.nodes:
            self.hold_claim(workload, node, claims, count, "not in the cloud any more")
            return False
        fit = self.all_fits(workload, [node])[node]
        if fit.reason or node not in workload.nodes:
            away = fit.reason or "not among its nodes any more"
            self.hold_claim(workload, node, claims, count, away, why="claim-stays")
        ask = self.board.ask_of(workload)
        if workload.ordinals and not shared_claims(workload):
            if not self.board.fits(node, ask):
                reason = self.board.explain(node, workload.name, ask)
                head = f"{workload.name!r} must run on {node}, where its volume is:"
                self.problem(workload, head, [f"{node}: {reason}"])
            self.board.take(node, workload.name, ask)
            pods = self.board.pods[workload.name]
            pods[node] = pods.get(node, 0) + 1
        else:
            self.finish_together(workload, node, count, placed=0)
        return True

    # What both passes share

    def fits(self, workload: Workload) -> dict[str, Fit]:
        """The nodes that the workload may run on, by their names, labels and taints."""
        if not self._has_taints and not has_wishes(workload.spec):
            return dict.fromkeys(workload.nodes, PLAIN_FIT)
        found = self.all_fits(workload)
        return {node: fit for node, fit in found.items() if not fit.reason}

    def all_fits(self, workload: Workload, nodes: Iterable[str] | None = None) -> dict[str, Fit]:
        """How each of the workload's nodes, or of `nodes`, suits it."""
        return {
            node: fit_node(workload.spec, node, self.cloud.nodes[node], self.board.labels[node])
            for node in (workload.nodes if nodes is None else nodes)
        }

    def with_disk(self, fits: Mapping[str, Fit], needed: int) -> dict[str, Fit]:
        """Those nodes that have so many bytes free for new volumes."""
        return {node: fit for node, fit in fits.items() if not self.why_no_disk(node, needed)}

    def why_no_disk(self, node: str, needed: int) -> str:
        """Why the node's disk is too full for new volumes; "" where it is not."""
        facts = self.lock.nodes.get(node)
        if facts is None or not facts.disk or facts.disk >= needed:
            return ""
        return f"{facts.disk / 1e9:.1f} GB of disk are free, the volume asks {needed / 1e9:.1f}"

    def values(self, workload: Workload) -> dict[str, str] | None:
        """The values of the label that the placement spreads over, by node."""
        spread = workload.placement.spread
        if spread is None:
            return None
        labels = self.board.labels
        return {node: labels[node].get(spread, "") for node in self.cloud.nodes}

    def reasons(
        self, workload: Workload, fits: Mapping[str, Fit], rules: Sequence[Rule]
    ) -> list[str]:
        """Of each node why it takes no replica more."""
        ask = self.board.ask_of(workload)
        reasons = []
        for node, fit in self.all_fits(workload).items():
            reason = fit.reason
            if not reason and node not in fits:
                reason = self.away(workload, node) or self.why_no_new_volume(workload, node)
            reason = reason or self.board.explain(node, workload.name, ask)
            reason = reason or next(
                (rule.explain(node) for rule in rules if not rule.allows(node)), ""
            )
            reasons.append(f"{node}: {reason or 'cordoned'}")
        if len(reasons) > _SHOWN:
            reasons[_SHOWN:] = [f"and {len(reasons) - _SHOWN} nodes more"]
        return reasons

    def why_no_new_volume(self, workload: Workload, node: str) -> str:
        """Why the workload's volumes cannot be made on the node."""
        claims = (
            *shared_claims(workload),
            *claims_of_ordinal(workload, (*workload.ordinals, 0)[0]),
        )
        needed = storage_of(self.cloud, claims)
        return self.why_no_disk(node, needed)

    def problem(self, workload: Workload, head: str, reasons: Iterable[str]) -> None:
        """Notes an error of the folder, a reason in each line."""
        message = "\n".join((head, *(f"  {reason}" for reason in reasons)))
        self.problems.append(workload.placement.origin.problem(message))

    def hold_claim(
        self,
        workload: Workload,
        node: str,
        claims: tuple[str, ...],
        count: int,
        away: str,
        *,
        why: str = "claim-lost",
    ) -> None:
        """Notes replicas that stay with their volume, or without it."""
        held = Held(
            workload=workload.name,
            count=count,
            why="claim-stays" if why == "claim-stays" else "claim-lost",
            node=node,
            claims=claims,
            away=away,
        )
        if held not in self.held:
            self.held.append(held)

    def away(self, workload: Workload, node: str) -> str:
        """Why the workload may not be on the node: a word; "" where it may."""
        if node in self.cloud.absent:
            return "left out"
        cordon = self.cloud.nodes[node].cordon
        if cordon is None or workload.name in cordon or isinstance(workload.manifest, DaemonSet):
            return ""
        return "cordoned"

    def where(self) -> Where:
        """Where everything is by now."""
        found: Where = {}
        for workload in self.cloud.workloads:
            counts = self.board.pods[workload]
            if workload in self.numbered:
                there: dict[str, list[int]] = {}
                for number, node in sorted(self.numbered[workload].items()):
                    there.setdefault(node, []).append(number)
                found[workload] = {node: tuple(there[node]) for node in sorted(there)}
            else:
                found[workload] = {
                    node: tuple(range(counts[node])) for node in sorted(counts) if counts[node]
                }
        return found


def job_key(workload: Workload, lane: int) -> str:
    """What the lock calls a lane of a job."""
    return f"{workload.name}/{lane}"


def _no_place(workload: Workload, missing: int) -> str:
    if workload.replicas == 1:
        return f"no node takes {workload.name!r}:"
    return f"no node takes {missing} of the {workload.replicas} replicas of {workload.name!r}:"
