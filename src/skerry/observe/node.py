"""What is true on one node, in one exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from skerry.edge.exchange import DEADLINE, exchange
from skerry.edge.ssh import Link
from skerry_node import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from skerry.edge.early import Begun


def observe_node(
    link: Link,
    desired: wire.Manifest | None,
    *,
    wants_text: bool = False,
    wants_images: bool = True,
    inherits: tuple[str, ...] = (),
    deadline: float = DEADLINE,
    begun: Begun | None = None,
    on_sent: Callable[[], None] | None = None,
) -> wire.Observed:
    """What the node holds, beside `desired` (or beside its own active generation alone).

    With `wants_text` small texts of files that differ come along, for a diff. A lock that one of
    the tokens `inherits` holds is told as `left` and not as a lock. `deadline` is how long the
    node may stay silent, in seconds. For `begun` and `on_sent` see `exchange`; raises what that
    raises.
    """
    args = observe_args(desired, wants_text=wants_text, wants_images=wants_images)
    known = known_digest(desired) if wants_text and wants_images and not inherits else ""
    if inherits:
        args["inherits"] = list(inherits)
    found = exchange(
        link, "observe", args, deadline=deadline, begun=begun, known=known, on_sent=on_sent
    )
    return cast(wire.Observed, found)


def known_digest(desired: wire.Manifest | None) -> str:
    """The digest by which a node knows that it has this manifest; empty for none."""
    return wire.digest_of(wire.dump(desired)).partition(":")[2] if desired is not None else ""


def observe_args(
    desired: wire.Manifest | None, *, wants_text: bool = False, wants_images: bool = True
) -> dict[str, Any]:
    """What the node program is told to look at."""
    return {"manifest": desired, "text": wants_text, "images": wants_images}
