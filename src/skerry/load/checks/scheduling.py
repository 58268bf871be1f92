"""What a pod asks of nodes, in itself: operators with their values, tolerations, spread.

Source: Kubernetes, its validation of core/v1 (``ValidateNodeSelectorRequirement``,
``ValidateTolerations``, ``validateTopologySpreadConstraints``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from skerry.errors import Problem
from skerry.model.cloud import Node
from skerry.model.matching import NAME_FIELD
from skerry.model.pod import PodSpec
from skerry.model.scheduling import PodAffinityTerm, Toleration
from skerry.model.selector import (
    LabelSelector,
    LabelSelectorRequirement,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)


def check_scheduling(spec: PodSpec) -> Iterator[Problem]:
    """Affinity, tolerations and spread of one pod."""
    nodes = spec.affinity.node_affinity
    if nodes is not None:
        required = nodes.required_during_scheduling_ignored_during_execution
        for term in required.node_selector_terms if required is not None else ():
            yield from _check_term(term)
        for wish in nodes.preferred_during_scheduling_ignored_during_execution:
            yield from _check_term(wish.preference)
    pods = spec.affinity.pod_anti_affinity
    terms: list[PodAffinityTerm] = []
    if pods is not None:
        terms += pods.required_during_scheduling_ignored_during_execution
        wishes = pods.preferred_during_scheduling_ignored_during_execution
        terms += [wish.pod_affinity_term for wish in wishes]
    for pod_term in terms:
        yield from check_label_selector(pod_term.label_selector)
    for toleration in spec.tolerations:
        yield from _check_toleration(toleration)
    seen: set[tuple[str, str]] = set()
    for constraint in spec.topology_spread_constraints:
        yield from check_label_selector(constraint.label_selector)
        if constraint.min_domains is not None and constraint.when_unsatisfiable != "DoNotSchedule":
            yield constraint.origin.of("minDomains").problem(
                "minDomains is for whenUnsatisfiable: DoNotSchedule alone"
            )
        key = constraint.topology_key, constraint.when_unsatisfiable
        if key in seen:
            yield constraint.origin.of("topologyKey").problem(
                f"a second constraint has topologyKey {key[0]} and whenUnsatisfiable {key[1]}"
            )
        seen.add(key)


def check_label_selector(selector: LabelSelector | None) -> Iterator[Problem]:
    """The conditions of a selector of pods."""
    for requirement in selector.match_expressions if selector is not None else ():
        yield from _check_values(requirement)


def check_taints(node: Node) -> Iterator[Problem]:
    """No taint is there twice."""
    seen: set[tuple[str, str]] = set()
    for taint in node.taints:
        if (taint.key, taint.effect) in seen:
            yield taint.origin.problem(f"the taint {taint.key}:{taint.effect} is there twice")
        seen.add((taint.key, taint.effect))


def _check_term(term: NodeSelectorTerm) -> Iterator[Problem]:
    for requirement in term.match_expressions:
        yield from _check_values(requirement)
    for requirement in term.match_fields:
        if requirement.key != NAME_FIELD:
            yield requirement.origin.of("key").problem(
                f"{requirement.key!r} is no field of nodes that can be asked for",
                hint=f"the one that there is is {NAME_FIELD}",
            )
        elif requirement.operator not in ("In", "NotIn") or len(requirement.values) != 1:
            yield requirement.origin.problem(
                f"matchFields takes {NAME_FIELD} with In or NotIn and one value"
            )


def _check_values(
    requirement: LabelSelectorRequirement | NodeSelectorRequirement,
) -> Iterator[Problem]:
    values, operator = requirement.values, requirement.operator
    place = requirement.origin.of("values")
    if operator in ("In", "NotIn") and not values:
        yield place.problem(f"the operator {operator} needs at least one of `values`")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield place.problem(f"the operator {operator} has no `values`")
    elif operator in ("Gt", "Lt") and not _is_one_number(values):
        yield place.problem(f"the operator {operator} needs one whole number in `values`")


def _is_one_number(values: Iterable[str]) -> bool:
    try:
        return len([int(value) for value in values]) == 1
    except ValueError:
        return False


def _check_toleration(toleration: Toleration) -> Iterator[Problem]:
    if toleration.key is None and toleration.operator != "Exists":
        yield toleration.origin.problem(
            "a toleration without a key is for all taints", hint="give it operator: Exists"
        )
    if toleration.operator == "Exists" and toleration.value:
        yield toleration.origin.of("value").problem("the operator Exists has no `value`")
