"""What to say about a name that is not there: a typing error, or Kubernetes' and refused.

``kubernetes_fields.json`` (written by ``tools/kubernetes_fields.py`` from the Kubernetes API's
schemas) and ``refusals.py`` are read only when such a name is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from skerry.load.reading import join_words

if TYPE_CHECKING:
    from skerry.load.refusals import Refusal

# Where our type's name differs from the Kubernetes API's.
KUBERNETES_TYPES = {
    "Metadata": "ObjectMeta",
    "TemplateMetadata": "ObjectMeta",
    "PodTemplate": "PodTemplateSpec",
    "JobTemplate": "JobTemplateSpec",
    "LifecycleAction": "LifecycleHandler",
    "VolumeClaimTemplate": "PersistentVolumeClaim",
    "VolumeResourceList": "StorageResourceList",
}
HONOURED_KINDS = (
    "Pod", "Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob",
    "ConfigMap", "Secret", "PersistentVolumeClaim", "Service",
)  # fmt: skip


class KubernetesNames(TypedDict):
    """The content of ``kubernetes_fields.json``."""

    version: str
    kinds: list[str]
    types: dict[str, dict[str, str]]


@cache
def kubernetes_names() -> KubernetesNames:
    """All kinds that Kubernetes has, and the types that the honoured ones are made of.

    A type's fields are by name, each with the type that it, or its items, are of ("" for text,
    numbers and the like).
    """
    path = Path(__file__).with_name("kubernetes_fields.json")
    return cast(KubernetesNames, json.loads(path.read_text()))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was most likely meant, or None where none is near."""
    names = list(names)
    for candidate in names:
        if candidate.lower() == name.lower():
            return candidate
    from difflib import get_close_matches

    near = get_close_matches(name, names, 1, cutoff=0.6)
    return near[0] if near else None


def kubernetes_type(type_name: str) -> str:
    """The name that the Kubernetes API has for what the model calls `type_name`."""
    return KUBERNETES_TYPES.get(type_name, type_name)


def kubernetes_fields(type_name: str) -> list[str]:
    """The fields that Kubernetes has in what the model calls `type_name`."""
    return list(kubernetes_names()["types"].get(kubernetes_type(type_name), {}))


def refusal_of_field(type_name: str, name: str) -> Refusal:
    """Why a field of Kubernetes is refused in what the model calls `type_name`."""
    from skerry.load.refusals import Refusal, refused_fields

    refusals = refused_fields()
    for owner in (type_name, kubernetes_type(type_name)):
        if (refusal := refusals.get(f"{owner}.{name}")) is not None:
            return refusal
    return Refusal("Kubernetes has it, Skerry does not")


def try_refusal_of_value(type_name: str, name: str, value: str) -> Refusal | None:
    """Why a field that is honoured does not take a value, where Kubernetes has that value."""
    from skerry.load.refusals import VALUES

    return VALUES.get((f"{kubernetes_type(type_name)}.{name}", value))


def explain_field(type_name: str, name: str, fields: Iterable[str]) -> tuple[str, str]:
    """Message and hint for a field that is neither among `fields` nor one of Kubernetes'."""
    fields = list(fields)
    message = f"no field `{name}` here"
    if (near := nearest(name, fields)) is not None:
        return message, f"did you mean `{near}`?"
    if (near := nearest(name, kubernetes_fields(type_name))) is not None:
        reason = refusal_of_field(type_name, near).reason
        return message, f"did you mean `{near}`? It is refused: {reason}"
    if not fields:
        return message, "it has no fields"
    return message, f"its fields are {join_words((f'`{field}`' for field in fields), 'and')}"


def explain_kind(kind: str) -> tuple[str, str]:
    """Message and hint for a manifest whose kind is not honoured."""
    if kind in kubernetes_names()["kinds"]:
        from skerry.load.refusals import refusal_of_kind

        reason, hint = refusal_of_kind(kind)
        return (f"kind {kind} is refused: {reason}", hint)
    near = nearest(kind, HONOURED_KINDS)
    hint = f"did you mean {near}?" if near else f"honoured are {join_words(HONOURED_KINDS, 'and')}"
    return f"no kind {kind!r}", hint
