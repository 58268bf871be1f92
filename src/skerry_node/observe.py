"""The op ``observe``: what is true on the node, in one pass that changes nothing."""

from __future__ import annotations

import os

from skerry_node.basics import digest_of, dump
from skerry_node.condition import read_unit_state
from skerry_node.facts import read_facts
from skerry_node.files import Owners, look
from skerry_node.host import Host
from skerry_node.images import finish_listing, start_listing, whole_images
from skerry_node.journal import is_switch_running, try_read_journal
from skerry_node.lock import is_lock_left, show_lock
from skerry_node.secrets import finish_secret_listing, start_secret_listing
from skerry_node.store import Store
from skerry_node.units import finish_show, start_show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    from skerry_node.host import Emit
    from skerry_node.wire import Manifest, Observed, OnDisk

# A larger text is not shown in a diff, in bytes.
TEXT_LIMIT = 64 * 1024


class Looking:
    """What is slow to answer and has been asked: systemd about units, Podman for what it has.

    `generation` is the one that was active then.
    """

    def __init__(
        self, host: Host, generation: int, units: List[str], *, wants_images: bool = True
    ) -> None:
        self.generation = generation
        self.units = units
        self.images = start_listing(host) if wants_images else None
        self.secrets = start_secret_listing(host)
        self.showing = start_show(host, units)


def begin_observing(host: Optional[Host] = None) -> Callable[..., Observed]:
    """The op, with all asked already that can be before the request is there."""
    host = host or Host()
    store = Store(host)
    number = store.current_number()
    looking = Looking(host, number, sorted(store.manifest(number)["units"]))

    def run(args: Dict[str, Any], streams: object, emit: Emit) -> Observed:
        return run_observe(args, streams, emit, host, looking)

    return run


def run_observe(
    args: Dict[str, Any],
    streams: object,
    emit: Emit,
    host: Optional[Host] = None,
    looking: Optional[Looking] = None,
) -> Observed:
    """`wire.Observed`, beside the desired ``manifest`` of the request (or none).

    With ``text`` the texts of files that differ come along; without ``images`` the list of
    images is empty. ``inherits`` are the tokens of the operator's runs that are over. What
    `looking` has asked is not asked again.
    """
    host = host or Host()
    store = Store(host)
    number = store.current_number()
    active = store.manifest(number)
    desired: Optional[Manifest] = args.get("manifest")
    wanted = desired if desired is not None else active
    entries = {**wanted["units"], **active["units"]}
    units = sorted(entries)
    is_left = is_lock_left(host, args.get("inherits", ()))
    # All are slow to answer: they are asked first and listened to last.
    wants_images = bool(args.get("images", True))
    # Where somebody else has changed the node since, all is asked again.
    if looking is None or looking.generation != number:
        looking = Looking(host, number, units, wants_images=wants_images)
    others = [unit for unit in units if unit not in looking.units]
    showing = start_show(host, others)
    images = looking.images if wants_images else None
    return {
        "facts": read_facts(host),
        "generation": number,
        "next_number": store.next_number(),
        "manifest": active if number else None,
        "on_disk": look_at_files(
            host,
            active,
            wanted,
            store.record(number).get("large", {}) if number else {},
            wants_text=bool(args.get("text")),
        ),
        "missing": missing_blobs(store, wanted),
        "units": {
            unit: read_unit_state(host, entries[unit], found)
            for unit, found in {
                **finish_show(looking.showing, looking.units),
                **finish_show(showing, others),
            }.items()
            if unit in entries
        },
        "images": whole_images(host, finish_listing(host, images)),
        "secrets": finish_secret_listing(host, looking.secrets),
        "latest": _latest_moment(store),
        "lock": None if is_left else show_lock(host),
        "left": is_left,
        "unfinished": unfinished_switch(host, is_left=is_left),
    }


def try_observe_known(digest: str, emit: Emit, host: Optional[Host] = None) -> Optional[Observed]:
    """The answer for who wants all, where the active manifest has this digest; else None."""
    host = host or Host()
    store = Store(host)
    number = store.current_number()
    active = store.manifest(number) if number else None
    if active is None or digest_of(dump(active)) != "sha256:" + digest:
        return None
    return run_observe({"manifest": active, "text": True, "images": True}, None, emit, host)


def look_at_files(
    host: Host,
    active: Manifest,
    wanted: Manifest,
    trusted: Dict[str, List[Any]],
    *,
    wants_text: bool,
) -> Dict[str, OnDisk]:
    """The paths of either manifest whose file on the disk differs from one of them."""
    owners, differing = Owners(), {}
    for path in sorted({*active["files"], *wanted["files"]}):
        owned, desired = active["files"].get(path), wanted["files"].get(path)
        found = look(host.path(path), owners, trusted.get(path))
        if owned is not None and found.is_entry(owned) and found.is_entry(desired):
            continue
        entry: OnDisk = {
            "kind": found.kind,
            "digest": found.digest,
            "mode": found.mode,
            "owner": found.owner,
            "text": try_text(found.content) if wants_text else None,
            "owned": owned is not None,
        }
        differing[path] = entry
    return differing


def _latest_moment(store: Store) -> float:
    """When the newest generation was made, by the clock of who made it; 0 without any."""
    numbers = store.numbers()
    return float(store.record(max(numbers)).get("when", 0.0)) if numbers else 0.0


def try_text(content: Optional[bytes]) -> Optional[str]:
    """Content as text for a diff; None for what is large or no text."""
    if content is None or len(content) > TEXT_LIMIT or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def missing_blobs(store: Store, wanted: Manifest) -> List[str]:
    """Digests of a manifest that the node has no blob of."""
    try:
        names = set(os.listdir(store.blobs))
    except FileNotFoundError:
        names = set()
    digests = {entry["digest"] for entry in wanted["files"].values()}
    return sorted(digest for digest in digests if digest[len("sha256:") :] not in names)


def unfinished_switch(host: Host, *, is_left: bool = False) -> Optional[int]:
    """The number of a generation whose switch was interrupted; None where none was.

    A switch that still runs is too, if the run that began it `is_left`.
    """
    entry = try_read_journal(host)
    if entry is None or (is_switch_running(host) and not is_left):
        return None
    return int(entry["number"])
