"""Rules about pods and the places of nodes: what is spread over a label, what keeps apart by it.

A place is a value of a label (a "domain"): a zone, a vendor, or, with `kubernetes.io/hostname`,
a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from skerry.compile.placement.candidates import HOST_LABELS

MISSING = 1_000_000
"""What a place that a node does not have counts for in a rule that may be broken."""

Labels = Mapping[str, Mapping[str, str]]
"""The labels of all nodes by the node's name."""


class Rule:
    """One rule for the replicas of one workload.

    "even" and "apart" must be kept, "rather-even" and "rather-apart" should be. `counts` are the
    pods that the rule is about by the value of the label; `counts_own` says that the workload's
    own replicas are among them; `places` are the values that its candidates have.
    """

    def __init__(
        self,
        kind: Literal["even", "rather-even", "apart", "rather-apart"],
        key: str,
        labels: Labels,
        counts: dict[str, int],
        *,
        counts_own: bool,
        places: set[str],
        max_skew: int = 1,
        min_domains: int = 1,
        weight: int = 1,
    ) -> None:
        self.kind = kind
        self.key = key
        self.is_host = key in HOST_LABELS
        self.labels = labels
        self.counts = counts
        self.counts_own = counts_own
        self.places = places
        self.max_skew = max_skew
        self.min_domains = min_domains
        self.weight = weight

    def value_of(self, node: str) -> str | None:
        """The node's place."""
        return self.labels[node].get(self.key)

    def weigh(self, node: str) -> int:
        """How much speaks against a further replica in the node's place."""
        value = self.value_of(node)
        if value is None:
            return MISSING if self.kind in ("even", "rather-even") else 0
        return self.weight * self.counts.get(value, 0)

    def allows(self, node: str) -> bool:
        """Whether the rule, if it must be kept, lets the node's place have a further replica."""
        value = self.value_of(node)
        if self.kind == "apart":
            return value is None or not self.counts.get(value, 0)
        if self.kind == "even":
            return value is not None and (
                self.counts.get(value, 0) + self.counts_own - self.least() <= self.max_skew
            )
        return True

    def is_full(self, node: str) -> bool:
        """Whether the node's place will never again have room by this rule."""
        return self.kind == "apart" and not self.allows(node)

    def least(self) -> int:
        """The pods in the place with the fewest; 0 where there are too few places."""
        if len(self.places) < self.min_domains:
            return 0
        return min((self.counts.get(place, 0) for place in self.places), default=0)

    def add(self, node: str) -> None:
        """A replica of the workload was placed on the node."""
        value = self.value_of(node)
        if self.counts_own and value is not None:
            self.counts[value] = self.counts.get(value, 0) + 1

    def explain(self, node: str) -> str:
        """Why the node's place gets no further replica."""
        value = self.value_of(node)
        if value is None:
            return f"no label {self.key}"
        if self.kind == "apart":
            return f"podAntiAffinity: {self.key}={value} has such a pod"
        return (
            f"topologySpreadConstraints: {self.key}={value} has {self.counts.get(value, 0)}, "
            f"another place {self.least()}; maxSkew is {self.max_skew}"
        )
