"""Whether labels satisfy a selector; the meanings are those of Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping

from skerry.model.selector import (
    LabelSelector,
    LabelSelectorRequirement,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)

NAME_FIELD = "metadata.name"


def matches_labels(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Whether a pod with these labels is meant. No selector means no pod, an empty one all."""
    if selector is None:
        return False
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        holds(requirement, labels) for requirement in selector.match_expressions
    )


def matches_node(selector: NodeSelector, name: str, labels: Mapping[str, str]) -> bool:
    """Whether at least one of the terms holds for the node."""
    return any(matches_term(term, name, labels) for term in selector.node_selector_terms)


def matches_term(term: NodeSelectorTerm, name: str, labels: Mapping[str, str]) -> bool:
    """Whether all conditions of the term hold; a term without any holds for no node."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {NAME_FIELD: name}
    return all(holds(one, labels) for one in term.match_expressions) and all(
        holds(one, fields) for one in term.match_fields
    )


def holds(
    requirement: LabelSelectorRequirement | NodeSelectorRequirement, labels: Mapping[str, str]
) -> bool:
    """Whether one condition holds. A label that is not there is not in any list of values."""
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    if requirement.operator == "Exists":
        return value is not None
    if requirement.operator == "DoesNotExist":
        return value is None
    return _compares(requirement.operator, value, requirement.values)


def show_requirement(requirement: LabelSelectorRequirement | NodeSelectorRequirement) -> str:
    """The condition in a few words, as in ``disk In [ssd, nvme]``."""
    if requirement.operator in ("Exists", "DoesNotExist"):
        return f"{requirement.key} {requirement.operator}"
    if requirement.operator in ("Gt", "Lt"):
        return f"{requirement.key} {requirement.operator} {', '.join(requirement.values)}"
    return f"{requirement.key} {requirement.operator} [{', '.join(requirement.values)}]"


def _compares(operator: str, value: str | None, values: tuple[str, ...]) -> bool:
    try:
        mine, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return mine > bound if operator == "Gt" else mine < bound
