"""What a plan needs on a node, sent there in one exchange: the lock, blobs, images."""

from __future__ import annotations

from collections.abc import Mapping

from skerry.compile.tree import Tree
from skerry.edge.exchange import DEADLINE, OnEvent, Outgoing, exchange
from skerry.edge.ssh import Link
from skerry.edge.turn import Turn
from skerry.plan.plan import NodePlan
from skerry.plan.steps import SendImage


def push_node(
    link: Link,
    turn: Turn,
    plan: NodePlan,
    tree: Tree,
    archives: Mapping[str, Outgoing],
    *,
    deadline: float = DEADLINE,
    on_event: OnEvent | None = None,
) -> int:
    """Takes the node's lock and sends the missing blobs and images; nothing is switched yet.

    `archives` holds each image of the plan by id. Returns the bytes sent. Raises `NodeLocked`
    when another operator is at work, and what `exchange` raises.
    """
    contents = {file.digest: file.content for file in tree.files.values()}
    blobs = [_blob(digest, contents[digest]) for digest in plan.missing]
    images = [step for step in plan.steps if isinstance(step, SendImage)]
    streams = (*blobs, *(archives[step.image_id] for step in images))
    args = {
        "lock": turn.lock_request(),
        "compression": "zstd",
        "images": {
            step.image_id: {"reference": step.reference, "size": step.size} for step in images
        },
    }
    exchange(link, "push", args, streams=streams, deadline=deadline, on_event=on_event)
    return sum(max(stream.size, 0) for stream in streams)


def _blob(digest: str, content: bytes) -> Outgoing:
    return Outgoing("blob", digest, len(content), lambda: iter((content,)))
