"""The address of a pod, for those of its containers that are told it.

It is known as soon as the pod's own network is up, which is before its containers are made. The
pod's unit writes it down, and systemd puts it into their command lines. Source: systemd.exec(5)
on ``EnvironmentFile=``, systemd.service(5) "Command lines".
"""

from __future__ import annotations

from skerry.compile.runtimes.downward import POD_ADDRESS, POD_ADDRESSES, needs_own_address
from skerry.compile.runtimes.quadlet import Section, quote_systemd
from skerry.compile.runtimes.sources import Instance

FOLDER = "/run/skerry/addresses"
# `$1` is the pod, `$2` the file. With IPv6 there is a second address.
_WRITE_ADDRESS = (
    'pod=$(podman pod inspect --format "{{.InfraContainerID}}" "$1") && '
    'set -- "$2" $(podman inspect --format '
    '"{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}" "$pod") && '
    '[ -n "$2" ] && mkdir -p "${1%/*}" && '
    f'printf "{POD_ADDRESS.name}=%s\\n{POD_ADDRESSES.name}=%s\\n" "$2" "$2${{3:+,$3}}" >"$1"'
)


def write_address(instance: Instance) -> Section:
    """Lines for [Service] of the pod's unit."""
    if not needs_own_address(instance.workload.spec):
        return []
    words = ("/bin/sh", "-c", _WRITE_ADDRESS, "sh", instance.name, _file(instance))
    return [
        ("ExecStartPost", " ".join(map(quote_systemd, words))),
        ("ExecStopPost", f"-/usr/bin/rm -f -- {_file(instance)}"),
    ]


def read_address(instance: Instance) -> Section:
    """Lines for [Service] of a container of the pod."""
    if not needs_own_address(instance.workload.spec):
        return []
    return [("EnvironmentFile", _file(instance))]


def _file(instance: Instance) -> str:
    return f"{FOLDER}/{instance.name}"
