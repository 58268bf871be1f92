"""Where a pod may run and where it should: affinity, tolerations, spread.

Field names and meanings are those of the Kubernetes API, core/v1.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from skerry.model.metadata import LabelKey, LabelValue
from skerry.model.origin import Located
from skerry.model.selector import LabelSelector, NodeSelector, NodeSelectorTerm
from skerry.model.words import AtLeastOne

Weight = Annotated[int, msgspec.Meta(ge=1, le=100)]
TaintEffect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class PreferredSchedulingTerm(Located, frozen=True, kw_only=True):
    """A node for which the term holds is preferred, by its weight."""

    weight: Weight
    preference: NodeSelectorTerm


class NodeAffinity(Located, frozen=True, kw_only=True):
    """Nodes that a pod needs, and nodes that it prefers."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredSchedulingTerm, ...] = ()


class PodAffinityTerm(Located, frozen=True, kw_only=True):
    """Pods by their labels, and the label of nodes that says what "the same place" means."""

    topology_key: LabelKey
    label_selector: LabelSelector | None = None


class WeightedPodAffinityTerm(Located, frozen=True, kw_only=True):
    """A term that is wished for, by its weight."""

    weight: Weight
    pod_affinity_term: PodAffinityTerm


class PodAntiAffinity(Located, frozen=True, kw_only=True):
    """Pods in whose place this one must not run, or should not."""

    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(Located, frozen=True, kw_only=True):
    """What draws a pod to nodes, and what keeps it from other pods."""

    node_affinity: NodeAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class Toleration(Located, frozen=True, kw_only=True):
    """A taint of nodes that the pod puts up with; without a key, with `Exists`, all of them."""

    key: LabelKey | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelValue = ""
    effect: TaintEffect | None = None


class TopologySpreadConstraint(Located, frozen=True, kw_only=True):
    """Replicas are spread evenly over the values of a label of the nodes.

    The numbers of pods for two values differ by `max_skew` at most.
    """

    max_skew: AtLeastOne
    topology_key: LabelKey
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: LabelSelector | None = None
    min_domains: AtLeastOne | None = None
