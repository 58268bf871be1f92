"""What the containers of a pod share with each other, and with the node if they are told to.

Sources: podman-run(1), podman-pod-create(1); Kubernetes API reference, PodSpec v1 core.
"""

from __future__ import annotations

import msgspec

from skerry.compile.runtimes.ports import NETWORK_6, compile_ports, needs_network_6
from skerry.compile.runtimes.quadlet import Section, quote_systemd, quote_word
from skerry.compile.runtimes.resolver import compile_resolver
from skerry.compile.runtimes.shape import is_grouped
from skerry.compile.runtimes.sources import Instance, Sources
from skerry.model.pod import PodSpec

# With the ids of a whole system, as Kubernetes gives to each pod: Podman's own guess leaves out
# `nobody`, and users that are not in the image's /etc/passwd.
_USER_NAMESPACE = f"--userns=auto:size={2**16}"


class Place(msgspec.Struct, frozen=True):
    """Where a pod's containers run.

    `shared` are lines for the pod, or for its container where that is the only one; `container`
    is for each container; `service` is for the service of the pod, or of its only container.
    """

    shared: Section
    container: Section
    service: Section


def compile_place(instance: Instance, sources: Sources) -> Place:
    """Network with ports and names, host name, processes, IPC, user ids and kernel parameters."""
    spec = instance.workload.spec
    resolver = compile_resolver(instance)
    place = Place(
        [*_network_lines(instance), *_sharing_lines(spec), *compile_ports(instance, sources)],
        [*_container_lines(spec), *resolver.container],
        list(resolver.service),
    )
    if needs_network_6(spec):
        place.service[:0] = _NETWORK_6_LINES
    if not spec.host_network:
        place.service[:0] = _HOSTS_LINES
    return place


# Without these Podman puts the node's /etc/hosts into the pod's, in which the node's own name is
# often 127.0.1.1 (Debian): for the pod, that is the pod. `--hosts-file` came with Podman 5.3.
# Of the file with the variable the service reads what the line before it wrote; `Environment=` in
# a .pod does not come through Quadlet.
_SETTINGS = "/run/skerry/podman"
_WRITE_SETTINGS = r"""
[ -e "$1.env" ] && exit
mkdir -p "${1%/*}" || exit 1
printf "[containers]\nbase_hosts_file=\"none\"\n" >"$1.conf.$$" && mv "$1.conf.$$" "$1.conf"
echo "CONTAINERS_CONF_OVERRIDE=$1.conf" >"$1.env.$$" && mv "$1.env.$$" "$1.env"
"""
_HOSTS_LINES: Section = [
    (
        "ExecStartPre",
        " ".join(map(quote_systemd, ("/bin/sh", "-c", _WRITE_SETTINGS, "sh", _SETTINGS))),
    ),
    ("EnvironmentFile", f"-{_SETTINGS}.env"),
]


# Podman's own network has no IPv6. One that has is there as long as a pod is in it: removing it
# fails while another one uses it, and one that just starts is started again.
_NETWORK_6_LINES: Section = [
    (
        "ExecStartPre",
        f"/usr/bin/podman network create --ignore --ipv6 --disable-dns {NETWORK_6}",
    ),
    ("ExecStopPost", f"-/usr/bin/podman network rm {NETWORK_6}"),
]


def _network_lines(instance: Instance) -> Section:
    spec = instance.workload.spec
    aliases: Section = [
        ("PodmanArgs", f"--add-host={name}:{alias.ip}")
        for alias in spec.host_aliases
        for name in alias.hostnames
    ]
    if spec.host_network:
        # The host name is that of the node; Podman would give a pod one of its own even so.
        return [("Network", "host"), ("PodmanArgs", "--uts=host"), *aliases]
    name = spec.hostname or instance.workload.name
    network: Section = [("Network", NETWORK_6)] if needs_network_6(spec) else []
    return [*network, ("PodmanArgs", f"--hostname={name}"), *aliases]


def _sharing_lines(spec: PodSpec) -> Section:
    lines: Section = []
    if spec.has_own_users:
        lines.append(("PodmanArgs", _USER_NAMESPACE))
    if is_grouped(spec) and (spec.host_ipc or spec.share_process_namespace):
        shared = ["net", "uts"]
        shared += ["ipc"] if not spec.host_ipc else []
        shared += ["pid"] if spec.share_process_namespace else []
        lines.append(("PodmanArgs", f"--share={','.join(shared)}"))
    for sysctl in spec.security_context.sysctls:
        word = quote_word(f"{sysctl.dotted_name}={sysctl.value}")
        lines.append(("PodmanArgs", f"--sysctl {word}"))
    return lines


def _container_lines(spec: PodSpec) -> Section:
    """What a pod does not pass on to its containers."""
    lines: Section = []
    if spec.host_pid:
        lines.append(("PodmanArgs", "--pid=host"))
    elif spec.share_process_namespace and not is_grouped(spec):
        # What the processes of all containers share is a first process that is none of theirs
        # and reaps orphans.
        lines.append(("PodmanArgs", "--init"))
    if spec.host_ipc:
        lines.append(("PodmanArgs", "--ipc=host"))
    return lines
