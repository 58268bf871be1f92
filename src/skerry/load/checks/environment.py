"""Variables of containers, and what pods are told about themselves, in themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.unknown import nearest
from skerry.model.container import Container, EnvFromSource, EnvVar
from skerry.model.fieldpath import field_fault
from skerry.model.pod import PodSpec
from skerry.model.quantity import parse_amount
from skerry.model.volume import ObjectFieldSelector, ResourceFieldSelector

_SUFFIXES = "kMGTPE"
# What Kubernetes takes as divisors; 0 is "not given" to it.
CPU_DIVISORS = ("1", "1m")
MEMORY_DIVISORS = (
    "1", *(f"1{suffix}" for suffix in _SUFFIXES), *(f"1{suffix.upper()}i" for suffix in _SUFFIXES)
)  # fmt: skip
_PREFIX = re.compile(r"([-._a-zA-Z][-._a-zA-Z0-9]*)?")


def check_environment(spec: PodSpec) -> Iterator[Problem]:
    """The variables of a pod's containers: each has one source, which can be looked up."""
    for container in spec.all_containers:
        for variable in container.env:
            yield from _check_variable(variable, container, spec)
        for source in container.env_from:
            yield from _check_env_from(source)


def check_field(selector: ObjectFieldSelector, *, is_file: bool) -> Iterator[Problem]:
    """Whether a variable, or a file of a volume, can be this field."""
    if fault := field_fault(selector.field_path, is_file=is_file):
        yield selector.origin.of("fieldPath").problem(fault)


def check_resource(
    selector: ResourceFieldSelector, spec: PodSpec, own: Container | None
) -> Iterator[Problem]:
    """Whether the container is there and the divisor one that Kubernetes takes."""
    names = [container.name for container in spec.all_containers]
    if selector.container_name is None:
        if own is None:
            yield selector.origin.problem(
                "in a volume, `containerName` says whose resources are meant"
            )
    elif selector.container_name not in names:
        near = nearest(selector.container_name, names)
        yield selector.origin.of("containerName").problem(
            f"the pod has no container {selector.container_name!r}",
            hint=f"did you mean {near!r}?" if near else "",
        )
    allowed = CPU_DIVISORS if selector.resource.endswith("cpu") else MEMORY_DIVISORS
    divisor = parse_amount(selector.divisor)
    if divisor and divisor not in map(parse_amount, allowed):
        yield selector.origin.of("divisor").problem(
            f"{selector.resource} cannot be divided by {selector.divisor}: "
            f"divisors are {', '.join(allowed)}"
        )


def _check_variable(variable: EnvVar, container: Container, spec: PodSpec) -> Iterator[Problem]:
    source = variable.value_from
    if source is None:
        return
    if variable.value is not None:
        yield variable.origin.of("valueFrom").problem(
            f"the variable {variable.name!r} has both `value` and `valueFrom`",
            hint="leave one of them out",
        )
    sources = {
        "configMapKeyRef": source.config_map_key_ref,
        "secretKeyRef": source.secret_key_ref,
        "fieldRef": source.field_ref,
        "resourceFieldRef": source.resource_field_ref,
    }
    given = [name for name, one in sources.items() if one is not None]
    if not given:
        yield variable.origin.of("valueFrom").problem(
            f"the variable {variable.name!r} has a `valueFrom` without a source",
            hint=f"give one of {', '.join(sources)}",
        )
    elif len(given) > 1:
        yield source.origin.of(given[1]).problem(
            f"the variable {variable.name!r} has more than one source: {' and '.join(given)}"
        )
    if source.field_ref is not None:
        yield from check_field(source.field_ref, is_file=False)
    if source.resource_field_ref is not None:
        yield from check_resource(source.resource_field_ref, spec, container)


def _check_env_from(source: EnvFromSource) -> Iterator[Problem]:
    if (source.config_map_ref is None) == (source.secret_ref is None):
        many = "both" if source.config_map_ref is not None else "neither"
        yield source.origin.problem(
            f"an item of `envFrom` has {many} of configMapRef and secretRef: it has one"
        )
    if not _PREFIX.fullmatch(source.prefix):
        yield source.origin.of("prefix").problem(
            f"{source.prefix!r} cannot begin a variable's name: letters, digits, '-', '_' and "
            "'.', no digit first"
        )
