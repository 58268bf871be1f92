"""A container's variables: where their values come from, and what comes before what.

Source: Kubernetes API reference, Container v1 core: `env`, `envFrom`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from skerry.compile.runtimes.downward import (
    field_value,
    is_told_of_node,
    resource_container,
    resource_value,
)
from skerry.compile.runtimes.secret_keys import read_secret_keys
from skerry.compile.runtimes.sources import Instance, Sources
from skerry.compile.runtimes.values import Value, expand, text_value
from skerry.errors import Problem
from skerry.model.container import ConfigMapKeySelector, Container, EnvFromSource, EnvVar
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec


class Variable(msgspec.Struct, frozen=True):
    """The value of a variable and where it is written."""

    value: Value
    origin: Origin


def has_node_fields(spec: PodSpec) -> bool:
    """Whether the pod is told something that differs from node to node."""
    return is_told_of_node(spec)


def resolve_environment(
    instance: Instance, container: Container, sources: Sources, problems: list[Problem]
) -> dict[str, Variable]:
    """The variables by name: those of `envFrom`, then those of `env` in the manifest's order.

    A later one takes the place of an earlier one. A value of `env` can refer to all before it;
    what comes out of a ConfigMap or a Secret is taken as it is. What is optional and not there
    gives no variable; what is not there is a problem.
    """
    values: dict[str, Value] = {}
    origins: dict[str, Origin] = {}
    for source in container.env_from:
        for key, value in _read_all(source, sources, problems):
            values[f"{source.prefix}{key}"] = value
            origins[f"{source.prefix}{key}"] = source.origin
    for variable in container.env:
        found: Value | None
        if variable.value_from is None:
            found = expand(variable.value or "", values)
        else:
            found = _try_look_up(variable, instance, container, sources, problems)
        if found is not None:
            values[variable.name] = found
            origins[variable.name] = variable.origin
    return {name: Variable(value, origins[name]) for name, value in values.items()}


def _read_all(
    source: EnvFromSource, sources: Sources, problems: list[Problem]
) -> Iterator[tuple[str, Value]]:
    """The value of each key, by the key."""
    if (secret := source.secret_ref) is not None:
        origin = secret.origin.of("name")
        keys = read_secret_keys(secret.name, sources, origin, problems, is_optional=secret.optional)
        yield from ((key, (value,)) for key, value in keys.items())
    reference = source.config_map_ref
    if reference is None:
        return
    config_map = sources.config_maps.get(reference.name)
    if config_map is None:
        if not reference.optional:
            problems.append(
                reference.origin.of("name").problem(
                    f"there is no ConfigMap {reference.name!r} in the cloud folder",
                    hint="optional: true leaves it out",
                )
            )
        return
    for key, text in config_map.data.items():
        yield key, text_value(text)


def _try_look_up(
    variable: EnvVar,
    instance: Instance,
    container: Container,
    sources: Sources,
    problems: list[Problem],
) -> Value | None:
    """The value that `valueFrom` leads to."""
    source = variable.value_from
    assert source is not None
    if source.config_map_key_ref is not None:
        return _try_config_map_key(variable.name, source.config_map_key_ref, sources, problems)
    if (selected := source.secret_key_ref) is not None:
        origin = selected.origin.of("name")
        keys = read_secret_keys(
            selected.name, sources, origin, problems, is_optional=selected.optional
        )
        return (keys[selected.key],) if selected.key in keys else None
    if source.field_ref is not None:
        return field_value(source.field_ref, instance, sources, problems)
    if source.resource_field_ref is not None:
        selector = source.resource_field_ref
        target = resource_container(selector, instance.workload.spec, container)
        if target is not None:
            return text_value(resource_value(selector, target, instance, sources, problems))
    return None


def _try_config_map_key(
    name: str, selector: ConfigMapKeySelector, sources: Sources, problems: list[Problem]
) -> Value | None:
    config_map = sources.config_maps.get(selector.name)
    if config_map is not None and selector.key in config_map.data:
        return text_value(config_map.data[selector.key])
    if not selector.optional:
        field = "name" if config_map is None else "key"
        missing = (
            f"there is no ConfigMap {selector.name!r} in the cloud folder"
            if config_map is None
            else f"ConfigMap {selector.name!r} has no text with the key {selector.key!r}"
        )
        problems.append(
            selector.origin.of(field).problem(
                f"variable {name!r}: {missing}", hint="optional: true leaves it out"
            )
        )
    return None
