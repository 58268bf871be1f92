"""What a node shall hold, given what it has: a partition leaves some replicas as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skerry.cli.cloud import OpenCloud
from skerry.compile.tree import Tree
from skerry.errors import NodeError
from skerry_node import wire


def desired_manifest(opened: OpenCloud, name: str, observed: wire.Observed) -> wire.Manifest:
    """The manifest that a node is switched to."""
    return desired_manifests(opened, {name: observed}, [name])[name]


def desired_manifests(
    opened: OpenCloud,
    observed: Mapping[str, wire.Observed | NodeError],
    names: Iterable[str] | None = None,
) -> dict[str, wire.Manifest]:
    """Those of all nodes, or of `names`; one that did not answer is taken to be as it shall be."""
    from skerry.compile.rolling.strategy import compile_strategies
    from skerry.plan.partition import keep_partition

    strategies = compile_strategies(opened.cloud, {})
    found = {}
    for name in opened.trees if names is None else names:
        manifest, seen = opened.trees[name].manifest(), observed.get(name)
        if seen is not None and not isinstance(seen, NodeError):
            manifest = keep_partition(manifest, seen, strategies)
        found[name] = manifest
    return found


def known_texts(tree: Tree, desired: wire.Manifest) -> dict[str, str | None]:
    """The texts of the desired files, but for those of an older version."""
    return {
        path: file.text
        for path, file in tree.files.items()
        if path in desired["files"] and desired["files"][path]["digest"] == file.digest
    }
