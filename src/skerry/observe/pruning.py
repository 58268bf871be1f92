"""What old generations leave on a node, and its removal."""

from __future__ import annotations

import msgspec

from skerry.edge.exchange import DEADLINE, exchange
from skerry.edge.ssh import Link
from skerry.edge.turn import Turn


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What goes or went on one node.

    `generations` are numbers, `kept` those that stay; `blobs` how many contents of files;
    `images` id -> reference; sizes are in bytes, an image's as Podman counts it. `secrets` are
    names in Podman's store that an interrupted run left there.
    """

    generations: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    blobs: int = 0
    blob_bytes: int = 0
    images: dict[str, str] = {}
    image_bytes: int = 0
    secrets: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.generations or self.blobs or self.images or self.secrets)

    @property
    def bytes(self) -> int:
        """All of it together."""
        return self.blob_bytes + self.image_bytes


# Has msgspec learn the type here, in one thread: see `skerry.observe.containers`.
_pruned = msgspec.json.Decoder(Pruned)


def prune_node(
    link: Link, turn: Turn, *, keep: int, is_dry: bool, deadline: float = DEADLINE
) -> Pruned:
    """Removes all but the last `keep` generations with what only they used; or, if `is_dry`,
    says what would go. Raises what `exchange` raises; `NodeLocked` while somebody is at work."""
    args = {"keep": keep, "images": True, "dry_run": is_dry, "lock": turn.lock_request()}
    return msgspec.convert(exchange(link, "prune", args, deadline=deadline), Pruned)
