"""What a container may do: its user and groups, its file system, what the kernel lets it do.

Where nothing is said, it may do what Podman lets containers do: fewer capabilities than in
Kubernetes (no MKNOD, NET_RAW, AUDIT_WRITE), and the runtime's filter of system calls.

Sources: podman-run(1), podman-systemd.unit(5); Kubernetes API reference, SecurityContext and
PodSecurityContext v1 core.
"""

from __future__ import annotations

import msgspec

from skerry.compile.lock import ResolvedImage
from skerry.compile.runtimes.quadlet import Section, quote_systemd, quote_value
from skerry.errors import Problem
from skerry.model.container import Container
from skerry.model.pod import PodSpec

# Where the files of Localhost profiles are, as in Kubernetes.
SECCOMP_FOLDER = "/var/lib/kubelet/seccomp"

# $1: the image. A name is looked up as Podman does it: in the image's own /etc/passwd.
_NO_ROOT = r"""
user=$(/usr/bin/podman image inspect --format "{{.Config.User}}" "$1") || exit 1
user=${user%%:*}
case $user in
"") user=0 ;;
*[!0-9]*)
    name=$user
    root=$(/usr/bin/podman image mount "$1") || exit 1
    user=$(awk -F: -v name="$name" '$1 == name { print $3; exit }' "$root/etc/passwd")
    /usr/bin/podman image unmount "$1" >/dev/null
    [ -n "$user" ] || { echo "runAsNonRoot: the image has no user $name" >&2; exit 1; } ;;
esac
[ "$user" -ne 0 ] || { echo "runAsNonRoot: the image runs as root" >&2; exit 1; }
"""


class Security(msgspec.Struct, frozen=True):
    """Lines for [Container] and [Service]."""

    container: Section
    service: Section


def compile_security(
    spec: PodSpec, container: Container, image: ResolvedImage, problems: list[Problem]
) -> Security:
    """What the security contexts say; the container's goes before the pod's."""
    found = Security([], [])
    _add_user(spec, container, image, problems, found)
    _add_system_calls(spec, container, found)
    context = container.security_context
    found.container.extend(("DropCapability", name) for name in context.capabilities.drop)
    found.container.extend(("AddCapability", name) for name in context.capabilities.add)
    if context.privileged:
        found.container.append(("PodmanArgs", "--privileged"))
    if context.allow_privilege_escalation is False:
        found.container.append(("NoNewPrivileges", "true"))
    if context.read_only_root_filesystem:
        # As Kubernetes has it, nothing below / can be written but shared memory.
        found.container.extend(
            [
                ("PodmanArgs", "--read-only --read-only-tmpfs=false"),
                ("PodmanArgs", "--mount type=tmpfs,dst=/dev/shm,tmpfs-size=64m"),
            ]
        )
    return found


def _add_user(
    spec: PodSpec,
    container: Container,
    image: ResolvedImage,
    problems: list[Problem],
    found: Security,
) -> None:
    own, pod = container.security_context, spec.security_context
    user = own.run_as_user if own.run_as_user is not None else pod.run_as_user
    group = own.run_as_group if own.run_as_group is not None else pod.run_as_group
    is_checked = own.run_as_non_root if own.run_as_non_root is not None else pod.run_as_non_root
    base = str(user) if user is not None else None
    if user is None:
        if image.user is not None:
            base = image.user.partition(":")[0] or "0"
        if is_checked:
            _check_image_user(container, base, image, problems, found)
        if group is not None and base is None:
            problems.append(
                container.origin.of("image").problem(
                    f"runAsGroup without runAsUser: the user of {container.image} is not known",
                    hint="give runAsUser, or pull the image on this machine",
                )
            )
    if user is not None or group is not None:
        word = f"{base}" if group is None else f"{base}:{group}"
        found.container.append(("PodmanArgs", f"--user={quote_systemd(word)}"))
    groups = [*pod.supplemental_groups, *([pod.fs_group] if pod.fs_group is not None else [])]
    found.container.extend(("PodmanArgs", f"--group-add={one}") for one in dict.fromkeys(groups))


def _check_image_user(
    container: Container,
    user: str | None,
    image: ResolvedImage,
    problems: list[Problem],
    found: Security,
) -> None:
    """Refuses root: now where the image's user is a number, else when the container starts."""
    if user is not None and user.isdecimal():
        if int(user) == 0:
            problems.append(
                container.origin.of("image").problem(
                    f"runAsNonRoot, but {container.image} runs as root",
                    hint="give runAsUser, or an image with a USER",
                )
            )
        return
    words = ("/bin/sh", "-c", _NO_ROOT, "sh", image.id)
    found.service.append(("ExecStartPre", " ".join(map(quote_systemd, words))))


def _add_system_calls(spec: PodSpec, container: Container, found: Security) -> None:
    profile = container.security_context.seccomp_profile or spec.security_context.seccomp_profile
    if profile is None or profile.type == "RuntimeDefault":
        return
    if profile.localhost_profile is None:
        if not container.security_context.privileged:
            found.container.append(("SeccompProfile", "unconfined"))
        return
    path = f"{SECCOMP_FOLDER}/{profile.localhost_profile}"
    found.container.append(("SeccompProfile", quote_value(path)))
    script = '[ -f "$1" ] || { echo "seccompProfile $1: no file there" >&2; exit 1; }'
    words = ("/bin/sh", "-c", script, "sh", path)
    found.service.append(("ExecStartPre", " ".join(map(quote_systemd, words))))
