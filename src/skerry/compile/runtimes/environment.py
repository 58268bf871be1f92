"""A container's variables and words, with ``$(NAME)`` put in as Kubernetes does it.

Source: Kubernetes API reference, Container v1 core: `env`, `command`, `args`; the grammar is that
of its package ``expansion``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from skerry.errors import Problem
from skerry.model.configmap import ConfigMap
from skerry.model.container import Container, EnvVar
from skerry.model.pod import PodSpec

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))", re.DOTALL)


def resolve_environment(
    container: Container, config_maps: Mapping[str, ConfigMap], problems: list[Problem]
) -> dict[str, str]:
    """The variables by name, in the manifest's order.

    A value can refer to those before it; what comes out of a ConfigMap is taken as it is. An
    optional key that is not there gives no variable; another one is a problem.
    """
    variables: dict[str, str] = {}
    for variable in container.env:
        if variable.value_from is None:
            variables[variable.name] = expand(variable.value or "", variables)
        elif (value := _try_look_up(variable, config_maps, problems)) is not None:
            variables[variable.name] = value
    return variables


def has_node_fields(spec: PodSpec) -> bool:
    """Whether the pod is told something that differs from node to node."""
    return False


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Puts in the variables: ``$(NAME)`` is its value, ``$$`` is ``$``, and all else stays.

    A reference to a variable that is not there stays as it is written.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(value_of, text) if "$" in text else text


def _try_look_up(
    variable: EnvVar, config_maps: Mapping[str, ConfigMap], problems: list[Problem]
) -> str | None:
    assert variable.value_from is not None
    selector = variable.value_from.config_map_key_ref
    if selector is None:
        return None
    config_map = config_maps.get(selector.name)
    if config_map is not None and selector.key in config_map.data:
        return config_map.data[selector.key]
    if not selector.optional:
        field = "name" if config_map is None else "key"
        missing = (
            f"there is no ConfigMap {selector.name!r} in the cloud folder"
            if config_map is None
            else f"ConfigMap {selector.name!r} has no text with the key {selector.key!r}"
        )
        problems.append(
            selector.origin.of(field).problem(
                f"variable {variable.name!r}: {missing}", hint="optional: true leaves it out"
            )
        )
    return None
