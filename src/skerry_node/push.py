"""The op ``push``: the lock, then blobs, images and secrets; nothing that runs is touched."""

from __future__ import annotations

import os
import time

from skerry_node.durable import sync_folder
from skerry_node.fault import NodeFault
from skerry_node.host import Host
from skerry_node.images import clean_loading, load_image
from skerry_node.journal import guard
from skerry_node.lock import drop_lock, is_taken_again, take_lock, try_renew
from skerry_node.secrets import clean_secrets, store_secret
from skerry_node.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Mapping, Optional

    from skerry_node.host import Emit
    from skerry_node.streams import Streams

_RENEW_PAUSE = 20.0
_PROGRESS_PAUSE = 1.0


def run_push(
    args: Dict[str, Any], streams: Streams, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """Takes the lock, mends what an interrupted switch left, and stores what is sent.

    ``lock`` is the request for it; ``images`` maps an id to its ``reference`` and ``size``
    (unpacked, in bytes), ``compression`` is ``zstd`` or ``none``. The result names the digests
    ``stored``, the ``images`` loaded, and has ``notes`` for people. When something fails the
    lock is given back; what arrived whole stays and is not sent again, but for secrets: those go.
    """
    host = host or Host()
    taken = take_lock(host, args["lock"], emit)
    token = str(args["lock"]["token"])
    for note in taken["notes"]:
        emit({"event": "note", "message": note})
    try:
        clean_loading(host)
        _check_room(host, args.get("images", {}))
        stored, loaded = _store(host, args, streams, token, emit)
    except BaseException:
        # Else what the same run is sending over another connection would go, and its lock. Whoever
        # takes the lock meanwhile waits until all that goes has gone.
        with guard(host):
            is_left = not is_taken_again(host, token, taken["taker"])
            if is_left:
                clean_secrets(host, Store(host), emit)
        if is_left:
            drop_lock(host, token, taken["taker"])
        raise
    return {"stored": stored, "images": loaded, "notes": taken["notes"]}


def _store(host: Host, args: Dict[str, Any], streams: Streams, token: str, emit: Emit) -> Any:
    store, wanted = Store(host), args.get("images", {})
    store.make_folders()
    stored: List[str] = []
    loaded: List[str] = []
    for kind, name, chunks in streams:
        started = time.monotonic()
        if kind == "blob":
            store.write_blob(name, chunks)
            stored.append(name)
        elif kind == "secret":
            store_secret(host, name, chunks)
            # Podman takes its time for each: the operator shall not think that we are gone.
            emit({"event": "secret", "name": name})
        elif kind == "image" and name in wanted:
            reference = str(wanted[name]["reference"])
            reported = _reporting(host, name, chunks, token, emit)
            load_image(host, name, reference, reported, args.get("compression", "none"))
            loaded.append(name)
            taken = round(time.monotonic() - started, 3)
            emit({"event": "phase", "name": "image " + reference, "seconds": taken})
        else:
            raise NodeFault("bad-request", "no stream of kind %r with name %r" % (kind, name))
    if stored:
        sync_folder(store.blobs)
    return stored, loaded


def _reporting(
    host: Host, image_id: str, chunks: Iterator[bytes], token: str, emit: Emit
) -> Iterator[bytes]:
    """The chunks; while they come in, the lock is renewed and the operator told how far it is."""
    said = renewed = time.monotonic()
    count = 0
    for chunk in chunks:
        count += len(chunk)
        now = time.monotonic()
        if now - said > _PROGRESS_PAUSE:
            emit({"event": "progress", "image": image_id, "bytes": count})
            said = now
        if now - renewed > _RENEW_PAUSE:
            try_renew(host, token)
            renewed = now
        yield chunk


def _check_room(host: Host, images: Mapping[str, Mapping[str, Any]]) -> None:
    needed = sum(int(one.get("size", 0)) for one in images.values())
    disk = os.statvfs(host.path("/var/lib"))
    free = disk.f_bavail * disk.f_frsize
    if needed > free:
        raise NodeFault(
            "disk-full",
            "the images need %.0f MB, and %.0f MB are free" % (needed / 1e6, free / 1e6),
            "`skerry prune` removes old generations and images",
        )
