"""What a plan needs on a node, sent there in one exchange: the lock, blobs, secrets, images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from skerry.compile.secrets import PodmanSecret
from skerry.compile.tree import Tree
from skerry.edge.early import Begun
from skerry.edge.exchange import DEADLINE, WITHIN_LEAST, OnEvent, Outgoing, exchange
from skerry.edge.ssh import Link
from skerry.edge.stop import Stopping
from skerry.edge.turn import Turn
from skerry.errors import NodeUnreachable
from skerry.model.secret_value import SecretValue
from skerry.plan.plan import NodePlan
from skerry.plan.steps import SendImage, SendSecret

# Bytes in a second.
SLOWEST = 4096

_LOST = (
    "nothing was switched there; `skerry apply` again once it answers: what has arrived whole is "
    "not sent again"
)


def push_node(
    link: Link,
    turn: Turn,
    plan: NodePlan,
    tree: Tree,
    archives: Mapping[str, Outgoing],
    *,
    deadline: float = DEADLINE,
    stop: Stopping | None = None,
    on_event: OnEvent | None = None,
    begun: Begun | None = None,
    on_sent: Callable[[], None] | None = None,
) -> int:
    """Takes the node's lock and sends what is missing there; nothing is switched yet.

    Once `stop` is wanted nothing more is sent: what the node then has is not what was announced,
    and it gives the lock back. `archives` holds each image of the plan by id; for `begun` and
    `on_sent` see `exchange`. Returns the bytes sent. Raises `NodeLocked` when another operator is
    at work, and what `exchange` raises.
    """
    contents = {file.digest: file.content for file in tree.files.values()}
    blobs = [_blob(digest, contents[digest]) for digest in plan.missing]
    images = [step for step in plan.steps if isinstance(step, SendImage)]
    streams = (
        *blobs,
        *secret_streams(plan, tree.secrets),
        *(archives[step.image_id] for step in images),
    )
    args = {
        "lock": turn.lock_request(),
        "compression": "zstd",
        "images": {
            step.image_id: {"reference": step.reference, "size": step.size} for step in images
        },
    }
    if stop is not None:
        streams = tuple(_until(stop, stream) for stream in streams)
    try:
        exchange(
            link,
            "push",
            args,
            streams=streams,
            deadline=deadline,
            within=_longest(images, streams, deadline),
            on_event=on_event,
            begun=begun,
            on_sent=on_sent,
        )
    except NodeUnreachable as error:
        error.hint = error.hint or _LOST
        raise
    return sum(max(stream.size, 0) for stream in streams)


def push_secrets(
    link: Link,
    turn: Turn,
    plan: NodePlan,
    secrets: Mapping[str, PodmanSecret],
    *,
    deadline: float = DEADLINE,
) -> int:
    """Takes the node's lock and sends the secrets of the plan alone (a rollback needs no more)."""
    streams = tuple(secret_streams(plan, secrets))
    args = {"lock": turn.lock_request()}
    exchange(link, "push", args, streams=streams, deadline=deadline)
    return sum(stream.size for stream in streams)


def _longest(images: Sequence[SendImage], streams: Sequence[Outgoing], deadline: float) -> float:
    """How long all may take, over the slowest network that is of any use, in seconds."""
    sizes = sum(step.size for step in images) + sum(max(stream.size, 0) for stream in streams)
    return 10 * deadline + WITHIN_LEAST * (1 + len(streams)) + sizes / SLOWEST


def secret_streams(plan: NodePlan, secrets: Mapping[str, PodmanSecret]) -> Iterator[Outgoing]:
    """The values that the plan sends; they are revealed here and nowhere before."""
    for step in plan.steps:
        if isinstance(step, SendSecret):
            value = secrets[step.name].value
            assert value is not None
            yield _secret(step.name, value)


def _until(stop: Stopping, stream: Outgoing) -> Outgoing:
    """The stream, which breaks off when it is to stop."""

    def chunks() -> Iterator[bytes]:
        for chunk in stream.chunks():
            if stop.is_wanted:
                return
            yield chunk

    return Outgoing(stream.kind, stream.name, stream.size, chunks)


def _secret(name: str, value: SecretValue) -> Outgoing:
    return Outgoing("secret", name, len(value.reveal()), lambda: iter((value.reveal(),)))


def _blob(digest: str, content: bytes) -> Outgoing:
    return Outgoing("blob", digest, len(content), lambda: iter((content,)))
