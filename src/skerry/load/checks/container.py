"""One container in itself."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.checks.names import check_doubles
from skerry.load.checks.resources import check_resources
from skerry.model.container import Container


def check_container(container: Container, volumes: list[str]) -> Iterator[Problem]:
    """Variables, mounts and limits of one container; `volumes` are the names of the pod's."""
    yield from check_doubles("variable", container.env)
    paths: dict[str, int] = {}
    for mount in container.volume_mounts:
        if mount.name not in volumes:
            from skerry.load.unknown import nearest

            near = nearest(mount.name, volumes)
            yield mount.origin.of("name").problem(
                f"container {container.name!r} mounts {mount.name!r}, "
                "which is not among the pod's volumes",
                hint=f"did you mean {near!r}?" if near else "",
            )
        path = mount.mount_path.rstrip("/") or "/"
        if ".." in path.split("/"):
            yield mount.origin.of("mountPath").problem("a mount path has no '..' in it")
        if path == "/":
            yield mount.origin.of("mountPath").problem("a volume cannot be mounted at /")
        if path in paths:
            yield mount.origin.of("mountPath").problem(
                f"container {container.name!r} mounts two volumes at {path}, "
                f"the first in line {paths[path]}"
            )
        paths.setdefault(path, mount.origin.line)
    yield from check_resources(container)
