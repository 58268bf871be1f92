"""What a container may do: its user and groups, its file system, what the kernel lets it do.

Sources: podman-run(1); Kubernetes API reference, SecurityContext and PodSecurityContext v1 core.
"""

from __future__ import annotations

from skerry.compile.runtimes.quadlet import Section
from skerry.model.container import Container
from skerry.model.pod import PodSpec


def compile_security(spec: PodSpec, container: Container) -> Section:
    """The lines of [Container] for the security context; the container's goes before the pod's."""
    context = container.security_context
    lines: Section = []
    if context.read_only_root_filesystem:
        # Kubernetes makes /dev/shm, /run and /tmp no exceptions either.
        lines += [("PodmanArgs", "--read-only"), ("PodmanArgs", "--read-only-tmpfs=false")]
    return lines
