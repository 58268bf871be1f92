"""What uses the values of secrets.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from skerry.cli.main import Settings
from skerry.errors import CloudInvalid

if TYPE_CHECKING:
    from skerry.compile.tree import Tree
    from skerry.model.cloud import Cloud


class Uses(msgspec.Struct, frozen=True, kw_only=True):
    """The Secret manifests that refer to a value, the workloads that use those, the nodes that
    get them."""

    secrets: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


def read_users(settings: Settings) -> dict[str, Uses] | None:
    """The uses of each value by its name; None where the folder has errors. Decrypts nothing."""
    from skerry.cli.check import compile_folder
    from skerry.load.cloud import find_cloud_folder

    try:
        cloud, trees = compile_folder(find_cloud_folder(settings.folder))
    except CloudInvalid:
        return None
    return users_of_values(cloud, trees)


def users_of_values(cloud: Cloud, trees: dict[str, Tree]) -> dict[str, Uses]:
    """The uses of each value of secrets.yaml, by its name."""
    from skerry.compile.secrets import users_of_secrets
    from skerry.model.secret_text import parse_references

    names = cloud.secrets_file.secrets if cloud.secrets_file is not None else {}
    referring: dict[str, set[str]] = {name: set() for name in names}
    for secret in cloud.secrets.values():
        for text in secret.string_data.values():
            for name in parse_references(text)[0]:
                referring[name].add(secret.metadata.name)
    pods = users_of_secrets(cloud)
    nodes: dict[str, set[str]] = {}
    for node, tree in trees.items():
        for unit in tree.units.values():
            nodes.setdefault(unit.workload, set()).add(node)
    found = {}
    for name, secrets in referring.items():
        workloads = {pod for secret in secrets for pod in pods.get(secret, ())}
        found[name] = Uses(
            secrets=tuple(sorted(secrets)),
            pods=tuple(sorted(workloads)),
            nodes=tuple(sorted({node for pod in workloads for node in nodes.get(pod, ())})),
        )
    return found
