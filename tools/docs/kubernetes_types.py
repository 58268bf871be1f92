"""What of the Kubernetes API's types the model has: the facts behind ``docs/kubernetes.md``."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import NamedTuple

import msgspec
from msgspec import inspect
from tools.docs.marks import Mark, read_marks

from skerry.load.refusals import Refusal, refused_fields
from skerry.load.unknown import kubernetes_names, kubernetes_type
from skerry.model.kinds import KINDS

# What an object is, by its kind: shown by every test of the kind.
OBJECT_FIELDS = ("apiVersion", "kind", "metadata", "spec")


class Row(NamedTuple):
    """A field of a Kubernetes type: honoured (with its tests), refused, or not shown by a test."""

    type: str
    field: str
    below: str
    is_honoured: bool
    tests: tuple[Mark, ...]
    refusal: Refusal | None

    @property
    def name(self) -> str:
        """TYPE.FIELD."""
        return f"{self.type}.{self.field}"

    @property
    def is_untested(self) -> bool:
        """Whether the model has the field and no live test shows it."""
        return self.is_honoured and not self.tests


@cache
def model_structs() -> dict[str, list[type[msgspec.Struct]]]:
    """The model's structs by the Kubernetes type that they are, in the order of the kinds."""
    found: dict[str, list[type[msgspec.Struct]]] = {}
    for kind in KINDS.values():
        for struct in structs_below(kind):
            name = kubernetes_type(struct.__name__)
            if struct not in found.setdefault(name, []):
                found[name].append(struct)
    return found


def structs_below(root: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """The struct and all that its fields are made of, in the order of the fields."""
    found: list[type[msgspec.Struct]] = []

    def visit(kind: inspect.Type) -> None:
        if isinstance(kind, inspect.StructType):
            if kind.cls in found or kind.cls.__name__ == "Origin":
                return
            found.append(kind.cls)
            for field in kind.fields:
                visit(field.type)
        for name in ("type", "item_type", "key_type", "value_type"):
            below = getattr(kind, name, None)
            if isinstance(below, inspect.Type):
                visit(below)
        if isinstance(kind, inspect.UnionType):
            for one in kind.types:
                visit(one)

    visit(inspect.type_info(root))
    return found


@cache
def model_fields() -> dict[str, set[str]]:
    """The fields that the model has, by Kubernetes type."""
    found: dict[str, set[str]] = {}
    for name, structs in model_structs().items():
        fields = found.setdefault(name, set())
        for struct in structs:
            fields |= {one.encode_name for one in msgspec.structs.fields(struct)} - {"origin"}
            if (tag := struct.__struct_config__.tag_field) is not None:
                fields.add(tag)
    return found


def field_rows(marks: list[Mark] | None = None) -> list[Row]:
    """A row for each field of the types that the model has, in the order of the kinds."""
    tests: dict[str, list[Mark]] = {}
    for mark in read_marks() if marks is None else marks:
        tests.setdefault(mark.field, []).append(mark)
    rows, only_uses = [], _types_with_one_use()
    for type_name, fields in model_fields().items():
        for field, below in kubernetes_names()["types"][type_name].items():
            name = f"{type_name}.{field}"
            shown = tests.get(name, [])
            if not shown and type_name in KINDS and field in OBJECT_FIELDS:
                shown = _tests_of(tests, type_name, f"{type_name}Spec")
            if not shown and below in only_uses:
                shown = _tests_of(tests, below)
            is_honoured = field in fields
            refusal = None if is_honoured else refused_fields().get(name)
            rows.append(Row(type_name, field, below, is_honoured, tuple(shown), refusal))
    return rows


def _tests_of(tests: dict[str, list[Mark]], *types: str) -> list[Mark]:
    """The first test of a field of these types."""
    starts = tuple(f"{name}." for name in types)
    return next((marks for name, marks in tests.items() if name.startswith(starts)), [])[:1]


def _types_with_one_use() -> set[str]:
    """Types that one field of the model alone leads to: a test of theirs is a test of it."""
    types, uses = kubernetes_names()["types"], Counter[str]()
    for owner, fields in model_fields().items():
        uses.update(below for field in fields if (below := types[owner][field]))
    return {name for name, count in uses.items() if count == 1}


def types_behind_refusals() -> dict[str, list[str]]:
    """The types that are reached through refused fields alone, each with the first such fields."""
    types, ours = kubernetes_names()["types"], model_fields()
    found: dict[str, list[str]] = {}
    for row in field_rows([]):
        if not row.is_honoured and row.below and row.below not in ours:
            found.setdefault(row.below, []).append(row.name)
    waiting = list(found)
    while waiting:
        owner = waiting.pop(0)
        for below in types[owner].values():
            if below and below not in ours and below not in found:
                found[below] = found[owner]
                waiting.append(below)
    return found


def unknown_marks() -> list[str]:
    """What is wrong with marks: fields that Kubernetes has not, or that the model has not."""
    types, ours = kubernetes_names()["types"], model_fields()
    faults = []
    for mark in read_marks():
        owner, _, field = mark.field.partition(".")
        where = f"{mark.file}:{mark.line}: {mark.field}"
        if field not in types.get(owner, {}):
            faults.append(f"{where}: Kubernetes has no such field (TYPE.FIELD, as its API says it)")
        elif field not in ours.get(owner, set()):
            faults.append(f"{where}: the model has no such field: it is refused, not honoured")
    return faults
