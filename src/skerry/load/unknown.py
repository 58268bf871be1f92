"""What to say about a name that is not there: a typing error, or Kubernetes' and not honoured yet.

``kubernetes_fields.json`` (written by ``tools/kubernetes_fields.py`` from the Kubernetes API's
schemas) is read only when such a name is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

from skerry.load.reading import join_words

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
    types: dict[str, list[str]]


@cache
def kubernetes_names() -> KubernetesNames:
    """All kinds that Kubernetes has, and the fields of the types that pods are made of."""
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


def kubernetes_fields(type_name: str) -> list[str]:
    """The fields that Kubernetes has in what the model calls `type_name`."""
    return kubernetes_names()["types"].get(KUBERNETES_TYPES.get(type_name, type_name), [])


def explain_field(type_name: str, name: str, fields: Iterable[str]) -> tuple[str, str]:
    """Message and hint for the unknown field `name` of a mapping that has `fields`."""
    fields = list(fields)
    theirs = kubernetes_fields(type_name)
    if name in theirs:
        return f"Kubernetes has `{name}` here, Skerry does not honour it yet", ""
    message = f"no field `{name}` here"
    if (near := nearest(name, fields)) is not None:
        return message, f"did you mean `{near}`?"
    if (near := nearest(name, theirs)) is not None:
        return message, (f"did you mean `{near}`? Kubernetes has it, Skerry does not honour it yet")
    if not fields:
        return message, "it has no fields"
    return message, f"its fields are {join_words((f'`{field}`' for field in fields), 'and')}"


def explain_kind(kind: str) -> tuple[str, str]:
    """Message and hint for a manifest whose kind is not honoured."""
    if kind in kubernetes_names()["kinds"]:
        return (
            f"kind {kind} is not honoured yet (honoured: {', '.join(HONOURED_KINDS)})",
            "",
        )
    near = nearest(kind, HONOURED_KINDS)
    hint = f"did you mean {near}?" if near else f"honoured are {join_words(HONOURED_KINDS, 'and')}"
    return f"no kind {kind!r}", hint
