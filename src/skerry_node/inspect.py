"""The op ``inspect``: the units of some workloads, and their containers as Podman made them.

    -> {"op": "inspect", "args": {"workloads": ["blog"] or null, "containers": true}}
    <- {"generation": 3, "units": {unit: UnitEntry}, "states": {unit: UnitState},
        "containers": {unit: {"name", "image_id", "is_running", "env", "published",
                              "listening", "uses_host_network"}},
        "routed": ["8080/tcp"] or null, "error": ""}

``published`` is what Podman made the container with, ``listening`` where a socket is open in its
network now, and ``routed`` which of the node's ports the firewall's rules lead to some container
now (null where that cannot be told): a firewall that was loaded anew has lost them.

A unit's container has the unit's name without ``.service``; the container of a pod's own unit
(``NAME-pod.service``) is Podman's ``NAME-infra``, which holds the pod's network and ports.
"""

from __future__ import annotations

import json
import re

from skerry_node.condition import read_unit_state
from skerry_node.fault import NodeFault
from skerry_node.host import Host
from skerry_node.store import Store
from skerry_node.units import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from skerry_node.host import Emit

# The kernel's number for a TCP socket that listens (include/net/tcp_states.h), in
# /proc/PID/net/tcp; a UDP socket that nobody is connected to has 07 there.
_LISTENS = {"tcp": "0A", "udp": "07"}
_PODMAN_DEADLINE = 20.0


def run_inspect(
    args: Dict[str, Any], streams: object, emit: Emit, host: Optional[Host] = None
) -> Dict[str, Any]:
    """The op; looks only, and needs no lock."""
    host = host or Host()
    store = Store(host)
    number = store.current_number()
    wanted = args.get("workloads")
    units = {
        unit: entry
        for unit, entry in store.manifest(number)["units"].items()
        if wanted is None or entry["workload"] in wanted
    }
    containers: Dict[str, Any] = {}
    error = ""
    if args.get("containers"):
        names = {unit: name for unit in units for name in [container_name(unit)] if name}
        containers, error = inspect_containers(host, names)
    has_ports = any(one["published"] for one in containers.values())
    return {
        "generation": number,
        "units": units,
        "states": {
            unit: read_unit_state(host, units[unit], found)
            for unit, found in show(host, sorted(units)).items()
        },
        "containers": containers,
        "routed": routed_ports(host) if has_ports else None,
        "error": error,
    }


def container_name(unit: str) -> str:
    """The container that a unit runs; empty for what is no service."""
    if not unit.endswith(".service"):
        return ""
    if unit.endswith("-pod.service"):
        return unit[: -len("-pod.service")] + "-infra"
    return unit[: -len(".service")]


def routed_ports(host: Host) -> Optional[List[str]]:
    """The node's ports that a rule of the kernel's packet filter leads elsewhere."""
    try:
        # Rules of iptables-legacy are not in nft's answer.
        with open(host.path("/proc/net/ip_tables_names")) as file:
            if "nat" in file.read().split():
                return None
    except OSError:
        pass
    try:
        finished = host.commands.run("nft", "--numeric", "list", "ruleset")
    except NodeFault:
        return None
    return parse_routed_ports(finished.text) if finished.status == 0 else None


def parse_routed_ports(ruleset: str) -> List[str]:
    """The ports of nft's ``tcp dport 8080 dnat ip to 10.88.0.2:80``; iptables' own spelling of
    the same (``tcp dport 8080 counter ... xt target "DNAT"``) counts too."""
    found = re.findall(r"\b(tcp|udp) dport (\d+)\b[^\n]*\bdnat\b", ruleset, re.IGNORECASE)
    return sorted({"%s/%s" % (port, protocol.lower()) for protocol, port in found})


def inspect_containers(host: Host, names: Dict[str, str]) -> Tuple[Dict[str, Any], str]:
    """The containers by unit, of names by unit, with one call of Podman; and what it said where
    it failed. What does not exist is left out of the answer."""
    if not names:
        return {}, ""
    try:
        finished = host.commands.run(
            "podman", "container", "inspect", *names.values(), deadline=_PODMAN_DEADLINE
        )
        found = json.loads(finished.stdout or b"[]") or []
    except NodeFault as fault:
        return {}, fault.message
    except ValueError:
        return {}, finished.words[-500:]
    # 125: some name is no container; the others are in the answer.
    if not found and finished.status not in (0, 125):
        return {}, finished.words[-500:]
    by_name = {str(one.get("Name", "")).lstrip("/"): one for one in found}
    by_pod = {one["Pod"]: one for one in by_name.values() if one.get("Pod") and _is_infra(one)}
    answer = {}
    for unit, name in names.items():
        if name in by_name:
            one = by_name[name]
            answer[unit] = describe_container(name, one, by_pod.get(one.get("Pod") or "", one))
    return answer, ""


def describe_container(name: str, one: Dict[str, Any], network: Dict[str, Any]) -> Dict[str, Any]:
    """One container in our words; `network` is the one that holds its network: itself, or its
    pod's."""
    state = one.get("State") or {}
    host_config = network.get("HostConfig") or {}
    running = bool(state.get("Running"))
    pid = int(state.get("Pid") or 0)
    return {
        "name": name,
        "image_id": str(one.get("Image") or ""),
        "is_running": running,
        "env": [str(word) for word in (one.get("Config") or {}).get("Env") or []],
        "published": published_ports(host_config.get("PortBindings") or {}),
        "listening": listening_ports(pid) if running and pid else None,
        "uses_host_network": host_config.get("NetworkMode") == "host",
    }


def published_ports(bindings: Dict[str, Any]) -> List[str]:
    """Podman's ``{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}`` as ``8080->80/tcp``."""
    ports = []
    for inside, leading in bindings.items():
        for one in leading or []:
            address = str(one.get("HostIp") or "")
            if ":" in address:
                address = "[%s]" % address
            before = "%s:" % address if address not in ("", "0.0.0.0", "[::]") else ""
            ports.append("%s%s->%s" % (before, one.get("HostPort"), inside))
    return sorted(ports)


def listening_ports(pid: int, proc: str = "/proc") -> Optional[List[str]]:
    """The ports with a socket behind them in a process's network; None if it cannot be read."""
    found = set()
    for protocol, state in _LISTENS.items():
        for family in (protocol, protocol + "6"):
            try:
                with open("%s/%d/net/%s" % (proc, pid, family)) as file:
                    lines = file.readlines()[1:]
            except FileNotFoundError:
                if family == "tcp":
                    return None
                continue
            except OSError:
                return None
            for line in lines:
                words = line.split()
                if len(words) > 3 and words[3] == state:
                    found.add("%d/%s" % (int(words[1].rpartition(":")[2], 16), protocol))
    return sorted(found)


def _is_infra(one: Dict[str, Any]) -> bool:
    return bool(one.get("IsInfra")) or str(one.get("Name", "")).endswith("-infra")
