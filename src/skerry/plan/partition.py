"""Replicas below a StatefulSet's partition keep what they have. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from skerry.compile.rolling.strategy import Strategy
from skerry_node import wire


def keep_partition(
    desired: wire.Manifest, observed: wire.Observed, strategies: Mapping[str, Strategy]
) -> wire.Manifest:
    """The desired manifest with the old version of the replicas that an update leaves alone.

    Those are the ones below the `partition` that the node has and shall have. One whose image is
    no longer on the node cannot be kept: it gets the new version.
    """
    active = observed["manifest"]
    if active is None or not any(one.partition for one in strategies.values()):
        return desired
    kept = {
        unit: entry
        for unit, entry in active["units"].items()
        if entry["workload"] in strategies
        and entry["replica"] < strategies[entry["workload"]].partition
    }
    lost = {_key(entry) for entry in kept.values() if not _is_there(entry, observed)}
    wanted = {_key(entry) for entry in desired["units"].values()}
    kept = {
        unit: entry
        for unit, entry in kept.items()
        if _key(entry) in wanted and _key(entry) not in lost
    }
    if not kept:
        return desired
    keys = {_key(entry) for entry in kept.values()}
    others = {unit: entry for unit, entry in desired["units"].items() if _key(entry) not in keys}
    dropped = [entry for unit, entry in desired["units"].items() if unit not in others]
    used = {path for entry in others.values() for path in entry["files"]}
    gone = {path for entry in dropped for path in entry["files"]} - used
    # A file that others use too is theirs: it changes with them, and restarts nothing here.
    own = {unit: _without(entry, used) for unit, entry in kept.items()}
    files = {path: entry for path, entry in desired["files"].items() if path not in gone}
    files |= {path: active["files"][path] for entry in own.values() for path in entry["files"]}
    units = {**others, **own}
    images = {**active["images"], **desired["images"]}
    ids = {entry["image_id"] for entry in units.values()}
    return {
        **desired,
        "files": dict(sorted(files.items())),
        "units": dict(sorted(units.items())),
        "images": {image: name for image, name in sorted(images.items()) if image in ids},
    }


def _key(entry: wire.UnitEntry) -> tuple[str, int]:
    return entry["workload"], entry["replica"]


def _is_there(entry: wire.UnitEntry, observed: wire.Observed) -> bool:
    return not entry["image_id"] or entry["image_id"] in observed["images"]


def _without(entry: wire.UnitEntry, paths: set[str]) -> wire.UnitEntry:
    return {**entry, "files": [path for path in entry["files"] if path not in paths]}
