"""Which nodes may run a pod, which of them it likes better, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from skerry.compile.lock import NodeFacts
from skerry.model.cloud import Node, Taint
from skerry.model.matching import NAME_FIELD, holds, matches_node, matches_term, show_requirement
from skerry.model.pod import PodSpec
from skerry.model.scheduling import Toleration
from skerry.model.selector import NodeSelector

HOST_LABELS = ("kubernetes.io/hostname", "name")
"""The labels whose value is another one on every node."""


class Fit(msgspec.Struct, frozen=True):
    """How a node suits a pod.

    `reason` says why it may not run there, "" where it may. `dislikes` counts the taints that
    ask to be avoided, `likes` is the sum of the weights of the preferences that hold.
    """

    reason: str = ""
    dislikes: int = 0
    likes: int = 0


PLAIN_FIT = Fit()


def node_labels(name: str, node: Node, facts: NodeFacts | None) -> dict[str, str]:
    """The node's labels, with those that Kubernetes gives every node.

    The vendor stands for the region: what fails together beyond a zone.
    """
    known = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture if facts is not None else "",
        "topology.kubernetes.io/zone": node.zone or "",
        "topology.kubernetes.io/region": node.vendor or "",
    }
    return {**{key: value for key, value in known.items() if value}, **node.all_labels(name)}


def has_needs(spec: PodSpec) -> bool:
    """Whether the pod may run on some nodes only, by their names and labels."""
    affinity = spec.affinity.node_affinity
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return bool(spec.node_name or spec.node_selector or required)


def has_wishes(spec: PodSpec) -> bool:
    """Whether the pod says anything of nodes by their names and labels."""
    affinity = spec.affinity.node_affinity
    return bool(spec.node_name or spec.node_selector or affinity)


def fit_node(spec: PodSpec, name: str, node: Node, labels: Mapping[str, str]) -> Fit:
    """How the node suits the pod, by name, labels and taints; not by what else runs there."""
    if not node.taints and not has_wishes(spec):
        return PLAIN_FIT
    reason = _why_not(spec, name, labels)
    # A pod with a nodeName passes by the scheduler, which looks at NoSchedule.
    harsh = ("NoExecute",) if spec.node_name else ("NoSchedule", "NoExecute")
    dislikes = 0
    for taint in node.taints:
        if not any(tolerates(toleration, taint) for toleration in spec.tolerations):
            if taint.effect == "PreferNoSchedule":
                dislikes += 1
            elif taint.effect in harsh:
                reason = reason or f"taint {show_taint(taint)}"
    affinity = spec.affinity.node_affinity
    likes = 0
    if affinity is not None:
        for wish in affinity.preferred_during_scheduling_ignored_during_execution:
            term = wish.preference
            # An empty preference holds for every node (an empty required term for none).
            is_empty = not term.match_expressions and not term.match_fields
            if is_empty or matches_term(term, name, labels):
                likes += wish.weight
    return Fit(reason, dislikes, likes)


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether the toleration is for the taint (core/v1, Toleration.ToleratesTaint)."""
    if toleration.effect is not None and toleration.effect != taint.effect:
        return False
    if toleration.key is not None and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return toleration.key is not None and toleration.value == taint.value


def show_taint(taint: Taint) -> str:
    """The taint as `kubectl` writes it: ``KEY=VALUE:EFFECT``."""
    value = f"={taint.value}" if taint.value else ""
    return f"{taint.key}{value}:{taint.effect}"


def _why_not(spec: PodSpec, name: str, labels: Mapping[str, str]) -> str:
    if spec.node_name and spec.node_name != name:
        return f"nodeName is {spec.node_name}"
    for key, value in spec.node_selector.items():
        if labels.get(key) != value:
            return f"no label {key}={value}"
    affinity = spec.affinity.node_affinity
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    if required is not None and not matches_node(required, name, labels):
        return _why_no_term(required, name, labels)
    return ""


def _why_no_term(required: NodeSelector, name: str, labels: Mapping[str, str]) -> str:
    """Why none of the terms holds: of each the first condition that does not."""
    reasons = []
    fields = {NAME_FIELD: name}
    for term in required.node_selector_terms:
        failing = [one for one in term.match_expressions if not holds(one, labels)]
        failing += [one for one in term.match_fields if not holds(one, fields)]
        reasons.append(show_requirement(failing[0]) if failing else "an empty term")
    return f"nodeAffinity: not {' and not '.join(reasons)}"
