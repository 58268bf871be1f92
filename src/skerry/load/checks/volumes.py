"""The volumes of a pod in themselves."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.model.volume import Volume


def check_volume(volume: Volume) -> Iterator[Problem]:
    """Exactly one source, and a path that stays where it says."""
    sources = {
        "configMap": volume.config_map,
        "secret": volume.secret,
        "emptyDir": volume.empty_dir,
        "hostPath": volume.host_path,
        "persistentVolumeClaim": volume.persistent_volume_claim,
        "projected": volume.projected,
        "downwardAPI": volume.downward_api,
    }
    given = [name for name, source in sources.items() if source is not None]
    if not given:
        yield volume.origin.problem(
            f"volume {volume.name!r} has no source",
            hint="give one of configMap, secret, emptyDir: {}, hostPath and persistentVolumeClaim",
        )
    elif len(given) > 1:
        yield volume.origin.of(given[1]).problem(
            f"volume {volume.name!r} has more than one source: {' and '.join(given)}"
        )
    if volume.host_path is not None and ".." in volume.host_path.path.split("/"):
        yield volume.host_path.origin.of("path").problem("a host path has no '..' in it")
