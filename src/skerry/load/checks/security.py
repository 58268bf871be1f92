"""What a pod's security contexts ask for: whether Linux and Podman can give it.

Sources: capabilities(7), user_namespaces(7), sysctl(5) of namespaces; Kubernetes' own validation
(its packages ``core/validation`` and ``kubelet/sysctl``).
"""

from __future__ import annotations

from collections.abc import Iterator

from skerry.errors import Problem
from skerry.load.reading import join_words
from skerry.model.container import Container
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec
from skerry.model.security import SeccompProfile, SecurityContext, Sysctl

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
# What the kernel asks of the first user namespace alone (capable() and not ns_capable()): a pod
# with user ids of its own may have it, to no effect.
_ONLY_OF_NODE = frozenset({
    "LINUX_IMMUTABLE", "IPC_LOCK", "SYS_MODULE", "SYS_RAWIO", "SYS_PACCT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "AUDIT_WRITE", "AUDIT_CONTROL",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON",
    "BPF",
})  # fmt: skip
_OWN_USERS_HINT = "hostUsers: true gives the pod the user ids of the node"
# The ids that a pod with user ids of its own has.
_IDS = 2**16
_NETWORK_SYSCTL = "net."
_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def check_security(spec: PodSpec) -> Iterator[Problem]:
    """The problems of the pod's security context and of its containers'."""
    pod = spec.security_context
    if pod.seccomp_profile is not None:
        yield from _check_seccomp(pod.seccomp_profile)
    yield from _check_ids(spec)
    seen: dict[str, int] = {}
    for sysctl in pod.sysctls:
        yield from _check_sysctl(spec, sysctl)
        if sysctl.dotted_name in seen:
            yield sysctl.origin.of("name").problem(
                f"the kernel parameter {sysctl.name} is given twice, "
                f"first in line {seen[sysctl.dotted_name]}"
            )
        seen.setdefault(sysctl.dotted_name, sysctl.origin.line)
    for container in spec.all_containers:
        context = container.security_context
        yield from _check_root(spec, container)
        yield from _check_capabilities(spec, context)
        yield from _check_privileged(spec, context)
        if context.seccomp_profile is not None:
            yield from _check_seccomp(context.seccomp_profile)


def _check_ids(spec: PodSpec) -> Iterator[Problem]:
    if not spec.has_own_users:
        return
    pod = spec.security_context
    given: list[tuple[Origin, int | None]] = [
        (pod.origin.of("runAsUser"), pod.run_as_user),
        (pod.origin.of("runAsGroup"), pod.run_as_group),
        (pod.origin.of("fsGroup"), pod.fs_group),
        *(
            (pod.origin.of(f"supplementalGroups[{index}]"), group)
            for index, group in enumerate(pod.supplemental_groups)
        ),
    ]
    for context in (container.security_context for container in spec.all_containers):
        given.append((context.origin.of("runAsUser"), context.run_as_user))
        given.append((context.origin.of("runAsGroup"), context.run_as_group))
    for origin, one in given:
        if one is not None and one >= _IDS:
            yield origin.problem(
                f"a pod with user ids of its own has those from 0 to {_IDS - 1}, not {one}",
                hint=_OWN_USERS_HINT,
            )


def _check_root(spec: PodSpec, container: Container) -> Iterator[Problem]:
    own, pod = container.security_context, spec.security_context
    is_checked = own.run_as_non_root if own.run_as_non_root is not None else pod.run_as_non_root
    holder = own if own.run_as_user is not None else pod
    if is_checked and holder.run_as_user == 0:
        yield holder.origin.of("runAsUser").problem(
            f"container {container.name!r} has runAsNonRoot and runAsUser 0, which is root"
        )


def _check_capabilities(spec: PodSpec, context: SecurityContext) -> Iterator[Problem]:
    capabilities = context.capabilities
    for field, names in (("add", capabilities.add), ("drop", capabilities.drop)):
        for index, written in enumerate(names):
            name, place = written.removeprefix("CAP_"), capabilities.origin.of(f"{field}[{index}]")
            if name != "ALL" and name not in CAPABILITIES:
                from skerry.load.unknown import nearest

                near = nearest(name, CAPABILITIES)
                yield place.problem(
                    f"Linux has no capability {written}",
                    hint=f"did you mean {near}?" if near else "",
                )
            elif field == "add" and name in _ONLY_OF_NODE and spec.has_own_users:
                yield place.problem(
                    f"the capability {name} has no effect in a pod with user ids of its own",
                    hint=_OWN_USERS_HINT,
                )
    dropped = {name.removeprefix("CAP_") for name in capabilities.drop}
    for index, written in enumerate(capabilities.add):
        if written.removeprefix("CAP_") in dropped:
            yield capabilities.origin.of(f"add[{index}]").problem(
                f"{written} is both added and dropped", hint="leave one of them out"
            )


def _check_privileged(spec: PodSpec, context: SecurityContext) -> Iterator[Problem]:
    place = context.origin.of("privileged")
    added = {name.removeprefix("CAP_") for name in context.capabilities.add}
    if context.allow_privilege_escalation is False:
        field = context.origin.of("allowPrivilegeEscalation")
        if context.privileged:
            yield field.problem("a privileged container cannot be kept from gaining privileges")
        elif added & {"SYS_ADMIN", "ALL"}:
            yield field.problem(
                "a container with the capability SYS_ADMIN cannot be kept from gaining privileges"
            )
    if not context.privileged:
        return
    if spec.has_own_users and spec.host_users is None:
        yield place.problem(
            "privileged: say whose root the container is, for here pods have user ids of their own",
            hint="hostUsers: true in the pod's spec: the node's; hostUsers: false: the pod's alone",
        )
    lost = [
        field
        for field, is_given in (
            ("capabilities", bool(context.capabilities.add or context.capabilities.drop)),
            (
                "seccompProfile",
                context.seccomp_profile is not None
                and context.seccomp_profile.type != "Unconfined",
            ),
        )
        if is_given
    ]
    if lost:
        yield place.problem(
            "a privileged container has all capabilities and no filter of system calls: "
            f"{join_words((f'`{field}`' for field in lost), 'and')} would have no effect"
        )


def _check_seccomp(profile: SeccompProfile) -> Iterator[Problem]:
    if profile.type == "Localhost" and profile.localhost_profile is None:
        yield profile.origin.problem(
            "a Localhost profile needs `localhostProfile`",
            hint="the path of a file of the nodes, below /var/lib/kubelet/seccomp",
        )
    if profile.type != "Localhost" and profile.localhost_profile is not None:
        yield profile.origin.of("localhostProfile").problem(
            f"`localhostProfile` is for the type Localhost, not {profile.type}"
        )


def _check_sysctl(spec: PodSpec, sysctl: Sysctl) -> Iterator[Problem]:
    name, place = sysctl.dotted_name, sysctl.origin.of("name")
    if name.startswith(_NETWORK_SYSCTL):
        if spec.host_network:
            yield place.problem(f"with hostNetwork, {name} is the node's: a pod cannot set it")
    elif name.startswith(_IPC_SYSCTLS):
        if spec.host_ipc:
            yield place.problem(f"with hostIPC, {name} is the node's: a pod cannot set it")
    else:
        yield place.problem(
            f"{name} is a parameter of the whole node: a pod cannot set it",
            hint=f"a pod has its own {', '.join(f'{one}*' for one in ('net.', *_IPC_SYSCTLS))}",
        )
    if "\0" in sysctl.value or "\n" in sysctl.value:
        yield sysctl.origin.of("value").problem(f"the value of {name} is a single line of text")
