"""What nodes say of themselves, kept in cloud.lock for placement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from skerry.compile.node_facts import facts_to_keep
from skerry.errors import NodeError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from skerry.cli.cloud import OpenCloud
    from skerry_node import wire


def refresh_facts(opened: OpenCloud, observed: Mapping[str, wire.Observed | NodeError]) -> bool:
    """Takes up what the nodes say; whether any node shall hold something else now."""
    nodes = dict(opened.lock.nodes)
    for name, answer in observed.items():
        if not isinstance(answer, NodeError):
            nodes[name] = facts_to_keep(answer["facts"], nodes.get(name))
    if nodes == opened.lock.nodes:
        return False
    trees = opened.trees
    opened.change_lock(msgspec.structs.replace(opened.lock, nodes=dict(sorted(nodes.items()))))
    return opened.trees != trees


def write_node_facts(folder: Path, name: str, facts: Mapping[str, Any]) -> bool:
    """Notes one node's facts in the folder's cloud.lock; whether that changed it."""
    from skerry.load.lockfile import read_lock, write_lock

    lock = read_lock(folder)
    kept = facts_to_keep(facts, lock.nodes.get(name))
    nodes = dict(sorted({**lock.nodes, name: kept}.items()))
    return write_lock(folder, msgspec.structs.replace(lock, nodes=nodes))


def forget_node_facts(folder: Path, name: str) -> None:
    """Takes a node that is no longer there out of the folder's cloud.lock."""
    from skerry.load.lockfile import read_lock, write_lock

    lock = read_lock(folder)
    if name in lock.nodes:
        nodes = {other: facts for other, facts in lock.nodes.items() if other != name}
        write_lock(folder, msgspec.structs.replace(lock, nodes=nodes))
