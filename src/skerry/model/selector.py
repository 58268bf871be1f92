"""Selectors of labels: on pods (LabelSelector) and on nodes (NodeSelector)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from skerry.model.metadata import LabelKey, LabelValue
from skerry.model.origin import Located


class LabelSelectorRequirement(Located, frozen=True, kw_only=True):
    """One condition on a label: its value is among `values`, or not, or the label is there."""

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[LabelValue, ...] = ()


class LabelSelector(Located, frozen=True, kw_only=True):
    """Conditions on the labels of pods, all of which hold; without any, every pod is meant."""

    match_labels: dict[LabelKey, LabelValue] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class NodeSelectorRequirement(Located, frozen=True, kw_only=True):
    """One condition on a node's label. `Gt` and `Lt` compare whole numbers."""

    key: LabelKey
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    values: tuple[LabelValue, ...] = ()


class NodeSelectorTerm(Located, frozen=True, kw_only=True):
    """Conditions on a node, all of which hold. The one field that there is is metadata.name."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(Located, frozen=True, kw_only=True):
    """Terms, at least one of which holds."""

    node_selector_terms: Annotated[tuple[NodeSelectorTerm, ...], msgspec.Meta(min_length=1)]
