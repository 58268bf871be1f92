"""What one manifest must keep beyond the types of its fields. Pure: returns problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from skerry.errors import Problem
from skerry.model.configmap import ConfigMap
from skerry.model.deployment import Deployment
from skerry.model.origin import Origin
from skerry.model.pod import Container, EnvVar, Pod, PodSpec, Volume
from skerry.model.quantity import parse_cpu, parse_memory

# What Kubernetes sets for a ConfigMap's content (its validation, MaxSecretSize).
MAX_CONFIG_MAP_BYTES = 1024 * 1024
# Under this no program starts; such a limit is "512m" (half a byte) written for 512Mi.
LEAST_MEMORY = 1024 * 1024


def check_workload_manifest(manifest: Pod | Deployment) -> list[Problem]:
    """The problems of a Pod or Deployment in itself."""
    problems = list(_check_metadata(manifest))
    if isinstance(manifest, Deployment):
        problems += _check_deployment(manifest)
        problems += check_pod_spec(manifest.spec.template.spec)
    else:
        problems += check_pod_spec(manifest.spec)
    return problems


def check_pod_spec(spec: PodSpec) -> list[Problem]:
    """The problems of a pod's containers and volumes in themselves."""
    problems = list(_doubles("container", spec.containers))
    problems += _doubles("volume", spec.volumes)
    for volume in spec.volumes:
        problems += _check_volume(volume)
    volumes = [volume.name for volume in spec.volumes]
    for container in spec.containers:
        problems += _check_container(container, volumes)
    problems += _check_ports(spec)
    return problems


def check_config_map(config_map: ConfigMap) -> list[Problem]:
    """The problems of a ConfigMap in itself."""
    problems = list(_check_metadata(config_map))
    size = sum(len(text.encode()) for text in config_map.data.values())
    for key, text in config_map.binary_data.items():
        place = config_map.origin.of(f"binaryData[{key}]")
        if key in config_map.data:
            problems.append(place.problem(f"the key {key!r} is in `data` too"))
        import base64
        import binascii

        try:
            size += len(base64.b64decode("".join(text.split()), validate=True))
        except (binascii.Error, ValueError):
            problems.append(place.problem(f"the value of {key!r} is not base64"))
    if size > MAX_CONFIG_MAP_BYTES:
        problems.append(
            config_map.origin.problem(
                f"ConfigMap {config_map.metadata.name!r} holds {size} bytes: at most "
                f"{MAX_CONFIG_MAP_BYTES} fit"
            )
        )
    return problems


def _check_metadata(manifest: Pod | Deployment | ConfigMap) -> Iterator[Problem]:
    metadata = manifest.metadata
    if metadata.namespace != "default":
        yield metadata.origin.of("namespace").problem(
            f"there are no namespaces here: {metadata.namespace!r} must be left out",
            hint="a cloud of its own is what a namespace would be",
        )


def _check_deployment(deployment: Deployment) -> Iterator[Problem]:
    selector = deployment.spec.selector
    template = deployment.spec.template
    if not selector.match_labels:
        yield selector.origin.problem("`matchLabels` must have at least one label")
    for key, value in selector.match_labels.items():
        actual = template.metadata.labels.get(key)
        if actual != value:
            has = f"has {key}: {actual}" if actual is not None else f"has no label {key!r}"
            yield selector.origin.of(f"matchLabels[{key}]").problem(
                f"the selector wants {key}: {value}, but the pod template {has}"
            )
    if template.spec.restart_policy != "Always":
        yield template.spec.origin.of("restartPolicy").problem(
            f"the pods of a Deployment have restartPolicy Always, "
            f"not {template.spec.restart_policy}"
        )


def _check_volume(volume: Volume) -> Iterator[Problem]:
    sources = {
        "configMap": volume.config_map,
        "emptyDir": volume.empty_dir,
        "hostPath": volume.host_path,
    }
    given = [name for name, source in sources.items() if source is not None]
    if not given:
        yield volume.origin.problem(
            f"volume {volume.name!r} has no source",
            hint="give one of configMap, emptyDir: {} and hostPath",
        )
    elif len(given) > 1:
        yield volume.origin.of(given[1]).problem(
            f"volume {volume.name!r} has more than one source: {' and '.join(given)}"
        )
    if volume.host_path is not None and ".." in volume.host_path.path.split("/"):
        yield volume.host_path.origin.of("path").problem("a host path has no '..' in it")


def _check_container(container: Container, volumes: list[str]) -> Iterator[Problem]:
    yield from _doubles("variable", container.env)
    for variable in container.env:
        yield from _check_variable(variable)
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


def _check_variable(variable: EnvVar) -> Iterator[Problem]:
    if variable.value is not None and variable.value_from is not None:
        yield variable.origin.of("valueFrom").problem(
            f"the variable {variable.name!r} has both `value` and `valueFrom`",
            hint="leave one of them out",
        )


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


def _check_ports(spec: PodSpec) -> Iterator[Problem]:
    names: dict[str, int] = {}
    taken: dict[tuple[int, str], list[tuple[str, int]]] = {}
    for port in (port for container in spec.containers for port in container.ports):
        if port.name is not None:
            if port.name in names:
                yield port.origin.of("name").problem(
                    f"two ports have the name {port.name!r}, the first in line {names[port.name]}"
                )
            names.setdefault(port.name, port.origin.line)
        if port.host_ip is not None and not _is_address(port.host_ip):
            yield port.origin.of("hostIP").problem(f"{port.host_ip!r} is not an IP address")
        if port.host_port is None:
            continue
        if spec.host_network and port.host_port != port.container_port:
            yield port.origin.of("hostPort").problem(
                f"with hostNetwork, hostPort ({port.host_port}) "
                f"and containerPort ({port.container_port}) are the same port",
                hint="leave hostPort out",
            )
        address = port.host_ip or ""
        others = taken.setdefault((port.host_port, port.protocol), [])
        for other, line in others:
            if other == address or "" in (other, address):
                yield port.origin.of("hostPort").problem(
                    f"the node's port {port.host_port}/{port.protocol} is taken twice, "
                    f"first in line {line}"
                )
                break
        others.append((address, port.origin.line))


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> Origin: ...


def _doubles(noun: str, items: Iterable[_Named]) -> Iterator[Problem]:
    """A problem for each item whose name an earlier one has."""
    first: dict[str, int] = {}
    for item in items:
        if item.name in first:
            yield item.origin.of("name").problem(
                f"two {noun}s have the name {item.name!r}, the first in line {first[item.name]}"
            )
        first.setdefault(item.name, item.origin.line)
