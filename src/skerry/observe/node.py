"""What is true on one node, in one exchange."""

from __future__ import annotations

from typing import cast

from skerry.edge.exchange import DEADLINE, exchange
from skerry.edge.ssh import Link
from skerry_node import wire


def observe_node(
    link: Link,
    desired: wire.Manifest | None,
    *,
    wants_text: bool = False,
    wants_images: bool = True,
    deadline: float = DEADLINE,
) -> wire.Observed:
    """What the node holds, beside `desired` (or beside its own active generation alone).

    With `wants_text` small texts of files that differ come along, for a diff. `deadline` is how
    long the node may stay silent, in seconds. Raises what `exchange` raises.
    """
    args = {"manifest": desired, "text": wants_text, "images": wants_images}
    return cast(wire.Observed, exchange(link, "observe", args, deadline=deadline))
