"""The op ``prune``: old generations; contents, images and secrets that nothing needs any more."""

from __future__ import annotations

import os

from skerry_node import images
from skerry_node.host import Host
from skerry_node.journal import try_read_journal
from skerry_node.lock import give_lock_back, take_lock
from skerry_node.secrets import remove_secrets, unneeded_secrets
from skerry_node.store import ACTIVE, PREVIOUS, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Optional, Set

    from skerry_node.host import Emit
    from skerry_node.wire import Generation


def run_prune(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """Removes all but the last ``keep`` good generations; with ``dry_run`` says what would go.

    The active generation is always kept, and so is every content and image that a kept one
    needs. Only images that Skerry brought are removed, and none that a container uses. The
    result has ``generations`` and ``kept`` (numbers), ``blobs`` (how many) and ``blob_bytes``,
    ``images`` (id -> reference) and ``image_bytes``, and ``secrets`` (names): what an interrupted
    run left, for an activation removes those that it makes needless.
    """
    host = host or Host()
    keep, wants_images = int(args["keep"]), bool(args.get("images", True))
    if args.get("dry_run"):
        return prune(host, keep, wants_images=wants_images, is_dry=True)
    # The lock takes some room too, and the disk may have none.
    Store(host).free_reserve()
    take_lock(host, args["lock"], emit)
    try:
        return prune(host, keep, wants_images=wants_images, is_dry=False)
    finally:
        give_lock_back(host, args["lock"]["token"])


def prune(host: Host, keep: int, *, wants_images: bool, is_dry: bool) -> Dict[str, Any]:
    """Does it, or only says what it would do."""
    store, journal = Store(host), try_read_journal(host)
    needed = {store.current_number()}
    if journal is not None:
        needed |= {int(journal["number"]), int(journal["base"])}
    whole = [
        one for one in store.history() if one["number"] in needed or store.is_whole(one["number"])
    ]
    kept = kept_generations(whole, keep, needed)
    going = [number for number in store.numbers() if number not in kept]
    blobs = unneeded_blobs(store, store.digests_of(sorted(kept)))
    doomed = _unneeded_images(host, store, kept) if wants_images else {}
    sizes = images.inspect_sizes(host, doomed)
    secrets = unneeded_secrets(host, store)
    if not is_dry:
        for number in going:
            store.remove_generation(number)
        for path in blobs:
            os.unlink(path)
        doomed = {one: name for one, name in doomed.items() if images.remove_image(host, one)}
        images.forget_images(host, doomed)
        remove_secrets(host, secrets)
    return {
        "generations": going,
        "kept": sorted(kept),
        "blobs": len(blobs),
        "blob_bytes": sum(blobs.values()),
        "images": doomed,
        "image_bytes": sum(sizes.get(one, 0) for one in doomed),
        "secrets": secrets,
    }


def kept_generations(history: List[Generation], keep: int, needed: Iterable[int]) -> Set[int]:
    """The generations that stay: the last `keep` good ones and those that are needed.

    Failed ones are good for nothing but their record, which stays while an older good one does.
    """
    good = [one["number"] for one in history if one["state"] in (ACTIVE, PREVIOUS)]
    kept = {*good[: max(keep, 1)], *needed} - {0}
    oldest = min(kept, default=0)
    return kept | {one["number"] for one in history if one["number"] > oldest > 0} - set(good)


def unneeded_blobs(store: Store, needed: Set[str]) -> Dict[str, int]:
    """The blobs that no kept generation refers to, and what a crash left: path -> bytes."""
    found = {}
    for name in sorted(os.listdir(store.blobs)) if os.path.isdir(store.blobs) else []:
        if "sha256:" + name not in needed:
            path = os.path.join(store.blobs, name)
            found[path] = os.path.getsize(path)
    return found


def _unneeded_images(host: Host, store: Store, kept: Iterable[int]) -> Dict[str, str]:
    needed = {image for number in kept for image in store.manifest(number)["images"]}
    candidates = {
        image: name for image, name in images.our_images(host).items() if image not in needed
    }
    if not candidates:
        return {}
    present, used = set(images.list_images(host)), images.used_images(host)
    return {one: name for one, name in candidates.items() if one in present and one not in used}
