"""Revisions: a name of its own for each version of a replica, so that two can run side by side."""

from __future__ import annotations

import hashlib

import msgspec

from skerry.compile.rolling.names import LENGTH
from skerry.compile.runtimes.probes import PROGRAM_FILE
from skerry.compile.runtimes.sources import Emitted
from skerry.model.cloud import Workload
from skerry.model.daemonset import DaemonSet
from skerry.model.deployment import Deployment
from skerry.model.statefulset import StatefulSet

# The roles of units that run for as long as the pod does.
LASTING = ("container", "pod", "sidecar")


def revision_of(emitted: Emitted) -> str:
    """A word for what was emitted under a name without a revision: other content, another word.

    Files, images and secrets count, but not the program that all probes share. What the node is
    told of waiting does not: a longer deadline is no new version.
    """
    digest = hashlib.blake2b(digest_size=LENGTH // 2)
    words: list[tuple[str, ...]] = [
        (path, str(one.file.mode), one.file.owner, one.file.digest)
        for path, one in sorted(emitted.files.items())
        if one.owner != PROGRAM_FILE.owner
    ]
    words += [(name, *unit.secrets, unit.image_id) for name, unit in sorted(emitted.units.items())]
    for word in words:
        digest.update(repr(word).encode())
    return digest.hexdigest()


def set_pace(emitted: Emitted, workload: Workload) -> None:
    """Has units wait as `minReadySeconds` and `progressDeadlineSeconds` say."""
    manifest = workload.manifest
    if not isinstance(manifest, Deployment | DaemonSet | StatefulSet):
        return
    ready = float(manifest.spec.min_ready_seconds)
    within = manifest.spec.progress_deadline_seconds if isinstance(manifest, Deployment) else None
    for name, unit in emitted.units.items():
        if unit.role in LASTING:
            emitted.units[name] = msgspec.structs.replace(
                unit,
                settle=max(unit.settle, ready),
                deadline=float(within) if within is not None else unit.deadline + ready,
            )
