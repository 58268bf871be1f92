"""What a pod is told about itself: its fields, and the amounts that its containers may use.

Sources: Kubernetes "Downward API"; its packages ``fieldpath`` and ``api/v1/resource``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from skerry.compile.runtimes.sources import Instance, Sources
from skerry.compile.runtimes.values import NodeVariable, Value, text_value
from skerry.errors import Problem
from skerry.model.container import Container
from skerry.model.fieldpath import parse_field_path
from skerry.model.origin import Origin
from skerry.model.pod import PodSpec
from skerry.model.quantity import parse_amount, parse_cpu, parse_memory
from skerry.model.volume import (
    DownwardAPIVolumeFile,
    ObjectFieldSelector,
    ResourceFieldSelector,
)

# The pod's address, which its own network is given when it starts, and all of them.
POD_ADDRESS = NodeVariable("SKERRY_POD_IP")
POD_ADDRESSES = NodeVariable("SKERRY_POD_IPS")
_OWN_ADDRESS = ("status.podIP", "status.podIPs")
_NODE_FIELDS = ("metadata.name", "spec.nodeName", "status.hostIP", "status.hostIPs", *_OWN_ADDRESS)
_GO_ESCAPES = {
    "\\": "\\\\", '"': '\\"', "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n",
    "\r": "\\r", "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def field_value(
    selector: ObjectFieldSelector, instance: Instance, sources: Sources, problems: list[Problem]
) -> Value:
    """The field of the pod that is asked for. What is not known goes to `problems`."""
    field, key = parse_field_path(selector.field_path)
    origin = selector.origin.of("fieldPath")
    if field in _OWN_ADDRESS and not instance.workload.spec.host_network:
        return (POD_ADDRESS if field == "status.podIP" else POD_ADDRESSES,)
    if field in _OWN_ADDRESS or field in ("status.hostIP", "status.hostIPs"):
        return text_value(_node_address(instance, sources, origin, problems))
    if field == "spec.nodeName":
        return text_value(instance.node)
    if field == "metadata.name":
        return text_value(instance.pod_name)
    if field == "metadata.namespace":
        return text_value("default")
    named = instance.labels if field == "metadata.labels" else instance.annotations
    return text_value(named.get(key, "") if key is not None else format_map(named))


def resource_value(
    selector: ResourceFieldSelector,
    container: Container,
    instance: Instance,
    sources: Sources,
    problems: list[Problem],
) -> str:
    """An amount of `container` in units of the divisor, rounded up.

    A limit that is not set is all that the node has for pods; a request that is not set is the
    limit, or 0. What is not known goes to `problems`.
    """
    bound, resource = selector.resource.split(".")
    limit = getattr(container.resources.limits, resource)
    amount = getattr(container.resources.requests, resource) if bound == "requests" else limit
    if amount is None and bound == "requests":
        amount = 0 if limit is None else limit
    parse = parse_cpu if resource == "cpu" else parse_memory
    if amount is None:
        origin = selector.origin.of("resource")
        size = _allocatable(resource, instance, sources, origin, problems)
    else:
        size = parse(amount)
    # Kubernetes takes 0 for "not given".
    divisor = parse_amount(selector.divisor) or Decimal(1)
    if resource == "cpu":
        divisor *= 1000
    return str(int((Decimal(size) / divisor).to_integral_value(rounding=ROUND_CEILING)))


def is_told_of_node(spec: PodSpec) -> bool:
    """Whether the pod is told something that differs from node to node."""
    for container in spec.all_containers:
        for variable in container.env:
            source = variable.value_from
            if source is not None and _is_of_node(
                spec, source.field_ref, source.resource_field_ref, container
            ):
                return True
    return any(
        _is_of_node(spec, item.field_ref, item.resource_field_ref, None)
        for item in _downward_items(spec)
    )


def needs_own_address(spec: PodSpec) -> bool:
    """Whether a container is told the address that the pod gets when it starts."""
    return not spec.host_network and any(
        variable.value_from is not None
        and variable.value_from.field_ref is not None
        and variable.value_from.field_ref.field_path in _OWN_ADDRESS
        for container in spec.all_containers
        for variable in container.env
    )


def resource_container(
    selector: ResourceFieldSelector, spec: PodSpec, own: Container | None
) -> Container | None:
    """The container that is meant: that of the name, or the one whose variable it is."""
    if selector.container_name is None:
        return own
    named = (one for one in spec.all_containers if one.name == selector.container_name)
    return next(named, None)


def format_map(named: Mapping[str, str]) -> str:
    """Labels or annotations as the lines of a file: ``key="value"``, quoted as Go does it."""
    return "\n".join(f"{key}={_quote_go(value)}" for key, value in sorted(named.items()))


def _downward_items(spec: PodSpec) -> list[DownwardAPIVolumeFile]:
    sources = [volume.downward_api for volume in spec.volumes]
    items = [item for source in sources if source is not None for item in source.items]
    for volume in spec.volumes:
        for one in volume.projected.sources if volume.projected is not None else ():
            items += one.downward_api.items if one.downward_api is not None else ()
    return items


def _is_of_node(
    spec: PodSpec,
    field: ObjectFieldSelector | None,
    resource: ResourceFieldSelector | None,
    own: Container | None,
) -> bool:
    if field is not None:
        return field.field_path in _NODE_FIELDS
    if resource is None or not resource.resource.startswith("limits."):
        return False
    container = resource_container(resource, spec, own)
    name = resource.resource.removeprefix("limits.")
    return container is not None and getattr(container.resources.limits, name) is None


def _node_address(
    instance: Instance, sources: Sources, origin: Origin, problems: list[Problem]
) -> str:
    """The address of the pod's node: as it was last seen, or what `ssh` is given."""
    facts = sources.lock.nodes.get(instance.node)
    if facts is not None and facts.address:
        return facts.address
    from ipaddress import ip_address

    host = sources.cloud.nodes[instance.node].ssh.rpartition("@")[2]
    try:
        return str(ip_address(host))
    except ValueError:
        problems.append(
            origin.problem(
                f"the address of node {instance.node!r} is not known, and {host!r} is a name",
                hint="run `skerry node add` for this node again: it asks the node",
            )
        )
        return ""


def _allocatable(
    resource: str, instance: Instance, sources: Sources, origin: Origin, problems: list[Problem]
) -> int:
    """What the node has for pods: thousandths of a processor, or bytes."""
    facts = sources.lock.nodes.get(instance.node)
    stated = sources.cloud.nodes[instance.node].memory
    if resource == "cpu" and facts is not None and facts.cpus:
        return facts.cpus * 1000
    if resource == "memory" and (stated is not None or (facts is not None and facts.memory)):
        system = facts.system if facts is not None else 0
        total = facts.memory if stated is None and facts is not None else parse_memory(stated or 0)
        return max(total - system, 0)
    what = "processors" if resource == "cpu" else "memory"
    problems.append(
        origin.problem(
            f"without a limit this is what the node has for pods, and the {what} of node "
            f"{instance.node!r} are not known",
            hint=f"set limits.{resource}, or run `skerry node add` for this node again: it asks",
        )
    )
    return 0


def _quote_go(text: str) -> str:
    return '"' + "".join(map(_escape_go, text)) + '"'


def _escape_go(character: str) -> str:
    """One character as Go's strconv.Quote has it."""
    if character in _GO_ESCAPES:
        return _GO_ESCAPES[character]
    if character == " " or unicodedata.category(character)[0] in "LMNPS":
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
