"""Manifests made from the model's own types: every field of every kind, and some of Kubernetes'
that are not honoured."""

from __future__ import annotations

import re
from functools import cache
from random import Random
from typing import Any

import msgspec
from msgspec import inspect as types

from skerry.load.unknown import kubernetes_names
from skerry.model.kinds import KINDS
from tests.fuzz import hostile

# So few that references often hit what they refer to.
TEXTS = [
    "a", "web", "data", "localhost/web", "/data", "/a/b", "a.txt", "64Mi", "1Gi", "0.5", "250m",
    "25%", "127.0.0.1", "::1", "HOME", "app", "http", "*/5 * * * *", "metadata.name",
    "status.podIP", "limits.memory", "YQ==", "Europe/Berlin", "kubernetes.io/hostname", "0",
    "example.com/a", "CAP_NET_ADMIN", "NET_ADMIN", "8080", "hello", "RuntimeDefault",
]  # fmt: skip
# Of these fields a value has one.
ONE_OF = {
    "EnvFromSource": ("configMapRef", "secretRef"),
    "EnvVarSource": ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"),
    "LifecycleHandler": ("exec", "httpGet", "sleep"),
    "LifecycleAction": ("exec", "httpGet", "sleep"),
    "Probe": ("exec", "httpGet", "tcpSocket"),
    "Volume": ("configMap", "secret", "emptyDir", "hostPath", "persistentVolumeClaim", "projected"),
}
# What would make most manifests wrong in the same way, said by other tests.
LEFT_OUT = {"namespace", "enableServiceLinks", "serviceAccountName", "fieldPath"}
NUMBERS = [0, 1, 2, 80, 8080, 420, 1000, 30, 65535]


@cache
def shape_of(kind: type) -> types.Type:
    """What a type of the model says of its values."""
    return types.type_info(kind)


def make(kind: str, dice: Random) -> dict[str, Any]:
    """A manifest of the kind: a bare one, one with some fields, or one with many."""
    shape = shape_of(KINDS[kind])
    assert isinstance(shape, types.StructType)
    made = _make_struct(shape, Maker(dice, dice.choice([0.0, 0.05, 0.3])), 0)
    _agree(kind, made.get("spec"))
    return {"apiVersion": _api_version(kind), "kind": kind, **made}


class Maker:
    """Chance, and the share of the fields that are given though none must be."""

    def __init__(self, dice: Random, share: float) -> None:
        self.dice = dice
        self.share = share


def _agree(kind: str, spec: Any) -> None:
    """Has the parts of a manifest agree that must, in most of them."""
    for step in ("jobTemplate", "spec") if kind == "CronJob" else ():
        spec = spec.get(step) if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
        return
    template = spec["template"]
    if kind in ("Job", "CronJob"):
        if isinstance(template.get("spec"), dict):
            template["spec"]["restartPolicy"] = "Never"
    elif isinstance(template.get("metadata", {}), dict):
        template.setdefault("metadata", {})["labels"] = {"app": "web"}
        spec["selector"] = {"matchLabels": {"app": "web"}}


def _api_version(kind: str) -> str:
    fields = msgspec.structs.fields(KINDS[kind])
    shape = next(types.type_info(one.type) for one in fields if one.encode_name == "apiVersion")
    assert isinstance(shape, types.LiteralType)
    return str(shape.values[0])


def _make(shape: types.Type, maker: Maker, depth: int) -> Any:
    dice = maker.dice
    if maker.share and dice.random() < 0.003:
        return dice.choice([*hostile.TEXTS, *hostile.NUMBERS, None, [], {}, True])
    if isinstance(shape, types.Metadata):
        return _make(shape.type, maker, depth)
    if isinstance(shape, types.UnionType):
        members = [one for one in shape.types if not isinstance(one, types.NoneType)]
        return _make(dice.choice(members), maker, depth)
    if isinstance(shape, types.StructType):
        return _make_struct(shape, maker, depth)
    if isinstance(shape, types.LiteralType):
        return dice.choice(shape.values)
    if isinstance(shape, types.StrType):
        return dice.choice(_fitting(shape.pattern, shape.max_length))
    if isinstance(shape, types.IntType):
        least, most = shape.ge or 0, shape.le if shape.le is not None else 10**9
        if most == 10_000:
            # Replicas: so many are placed that the number says nothing more.
            most = 80
        return dice.choice([one for one in NUMBERS if least <= one <= most])
    if isinstance(shape, types.FloatType):
        return dice.choice([0.5, 1, 2])
    if isinstance(shape, types.BoolType):
        return dice.random() < 0.5
    if isinstance(shape, types.DictType):
        return {
            str(_make(shape.key_type, maker, depth + 1)): _make(shape.value_type, maker, depth + 1)
            for _ in range(dice.randint(1, 2))
        }
    if isinstance(shape, types.VarTupleType):
        return [_make(shape.item_type, maker, depth + 1) for _ in range(dice.randint(1, 2))]
    raise TypeError(f"no values for {shape}")


def _make_struct(shape: types.StructType, maker: Maker, depth: int) -> dict[str, Any]:
    dice, name = maker.dice, shape.cls.__name__
    choices = ONE_OF.get(name, ())
    chosen = dice.choice(choices) if choices else ""
    made: dict[str, Any] = {}
    for field in shape.fields:
        key = field.encode_name
        if field.name == "origin" or (key in LEFT_OUT and not field.required):
            continue
        wanted = key == chosen if key in choices else dice.random() < maker.share
        if field.required or wanted:
            made[key] = _make(field.type, maker, depth + 1)
    known = kubernetes_names()["types"].get(name)
    if known and maker.share and dice.random() < 0.005:
        made[dice.choice(sorted(known))] = dice.choice([None, 1, "x", {}, []])
    return made


@cache
def _fitting(pattern: str | None, longest: int | None) -> list[str]:
    fits = [
        text
        for text in TEXTS
        if (pattern is None or re.search(pattern, text)) and len(text) <= (longest or 10**9)
    ]
    return fits or TEXTS
