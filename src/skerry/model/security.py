"""What a pod and its containers may do (Kubernetes core/v1)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from skerry.model.origin import Located
from skerry.model.words import Id, RelativePath

CapabilityName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(CAP_)?[A-Z][A-Z0-9_]*$",
        description="a Linux capability such as NET_ADMIN, or ALL",
    ),
]
SysctlName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)+$",
        max_length=253,
        description="the name of a kernel parameter such as net.core.somaxconn",
    ),
]


class Capabilities(Located, frozen=True, kw_only=True):
    """Linux capabilities beyond, or short of, the runtime's default set."""

    add: tuple[CapabilityName, ...] = ()
    drop: tuple[CapabilityName, ...] = ()


class SeccompProfile(Located, frozen=True, kw_only=True):
    """The filter of system calls; `localhost_profile` is below /var/lib/kubelet/seccomp."""

    type: Literal["RuntimeDefault", "Unconfined", "Localhost"]
    localhost_profile: RelativePath | None = None


class Sysctl(Located, frozen=True, kw_only=True):
    """A kernel parameter of the pod's own namespaces."""

    name: SysctlName
    value: str

    @property
    def dotted_name(self) -> str:
        """The name with dots between its parts; in one written with slashes a dot is no end."""
        first = next(sign for sign in self.name if sign in "./")
        if first == ".":
            return self.name
        return self.name.translate(str.maketrans("./", "/."))


class SecurityContext(Located, frozen=True, kw_only=True):
    """What one container may do; it goes before that of the pod."""

    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool = False
    privileged: bool = False
    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities = Capabilities()
    seccomp_profile: SeccompProfile | None = None


class PodSecurityContext(Located, frozen=True, kw_only=True):
    """What all containers of a pod may do.

    `fs_group` is a group of every process, and owns the pod's own volumes.
    """

    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    fs_group: Id | None = None
    supplemental_groups: tuple[Id, ...] = ()
    seccomp_profile: SeccompProfile | None = None
    sysctls: tuple[Sysctl, ...] = ()
