"""One container in itself."""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.checks.names import check_doubles
from skerry.model.container import Container
from skerry.model.quantity import parse_cpu, parse_memory

# Under this no program starts; such a limit is "512m" (half a byte) written for 512Mi.
LEAST_MEMORY = 1024 * 1024


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
    yield from _check_limits(container)


def _check_limits(container: Container) -> Iterator[Problem]:
    limits = container.resources.limits
    if limits.memory is not None and parse_memory(limits.memory) < LEAST_MEMORY:
        amount = str(limits.memory)
        hint = f"did you mean {amount[:-1]}Mi?" if amount.endswith(("m", "M")) else ""
        yield limits.origin.of("memory").problem(
            f"{amount} of memory is {parse_memory(limits.memory)} bytes: too little for anything",
            hint=hint,
        )
    if limits.cpu is not None and parse_cpu(limits.cpu) == 0:
        yield limits.origin.of("cpu").problem("a limit of 0 cores lets nothing run")
