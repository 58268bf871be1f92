"""Probes, hooks and init containers in themselves.

Source: Kubernetes' own validation (its package ``core/validation``: validateProbe,
validateLivenessProbe, validateReadinessProbe, validateHandler, validateInitContainers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skerry.errors import Problem
from skerry.model.container import Container
from skerry.model.origin import Located
from skerry.model.pod import PodSpec
from skerry.model.probe import ExecAction, LifecycleAction, Probe

# The longest argument that Linux passes to a program, with its closing zero byte (execve(2)).
ARGUMENT_LIMIT = 128 * 1024


def check_probes(spec: PodSpec) -> Iterator[Problem]:
    """What a pod's containers, its init containers among them, cannot have done with them."""
    for container in spec.containers:
        if container.restart_policy is not None:
            yield container.origin.of("restartPolicy").problem(
                f"container {container.name!r}: only an init container has a restartPolicy",
                hint="the pod's restartPolicy is that of its containers",
            )
        yield from _check_container(spec, container)
    for container in spec.init_containers:
        if container.restart_policy is None:
            yield from _check_without(container)
        else:
            yield from _check_container(spec, container)


def _check_without(container: Container) -> Iterator[Problem]:
    fields = {
        "startupProbe": container.startup_probe,
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "lifecycle": container.lifecycle,
    }
    for field, value in fields.items():
        if value is not None:
            yield container.origin.of(field).problem(
                f"init container {container.name!r} runs to its end: it has no {field}",
                hint="restartPolicy: Always has it run beside the pod's containers",
            )


def _check_container(spec: PodSpec, container: Container) -> Iterator[Problem]:
    for field, probe in (
        ("startupProbe", container.startup_probe),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
    ):
        if probe is not None:
            yield from _check_probe(container, field, probe)
    lifecycle = container.lifecycle
    for field, hook in (
        ("postStart", lifecycle.post_start if lifecycle else None),
        ("preStop", lifecycle.pre_stop if lifecycle else None),
    ):
        if hook is not None:
            yield from _check_hook(spec, container, field, hook)


def _check_probe(container: Container, field: str, probe: Probe) -> Iterator[Problem]:
    yield from _check_one_of(probe, field, ("exec", "httpGet", "tcpSocket"))
    yield from _check_places(container, probe)
    if field != "readinessProbe" and probe.success_threshold != 1:
        yield probe.origin.of("successThreshold").problem(
            f"a {field} has passed when it passed once: successThreshold is 1"
        )
    if field == "readinessProbe" and probe.termination_grace_period_seconds is not None:
        yield probe.origin.of("terminationGracePeriodSeconds").problem(
            "a readinessProbe stops nothing: it has no terminationGracePeriodSeconds"
        )


def _check_hook(
    spec: PodSpec, container: Container, field: str, hook: LifecycleAction
) -> Iterator[Problem]:
    yield from _check_one_of(hook, field, ("exec", "httpGet", "sleep"))
    yield from _check_places(container, hook)
    grace = spec.termination_grace_period_seconds
    if hook.sleep is not None and hook.sleep.seconds > grace:
        yield hook.sleep.origin.of("seconds").problem(
            f"{hook.sleep.seconds} s are more than the pod has to stop "
            f"(terminationGracePeriodSeconds is {grace})"
        )


def _check_one_of(action: Located, field: str, names: Sequence[str]) -> Iterator[Problem]:
    attributes = {"httpGet": "http_get", "tcpSocket": "tcp_socket"}
    given = [name for name in names if getattr(action, attributes.get(name, name)) is not None]
    if not given:
        yield action.origin.problem(
            f"{field} says not what is done",
            hint=f"give one of {', '.join(names[:-1])} and {names[-1]}",
        )
    elif len(given) > 1:
        yield action.origin.of(given[1]).problem(
            f"{field} has both {given[0]} and {given[1]}", hint="leave one of them out"
        )


def _check_places(container: Container, action: Probe | LifecycleAction) -> Iterator[Problem]:
    """Ports that the container has not, and words that are too long for a program."""
    places = [action.http_get]
    if action.exec is not None:
        yield from _check_words(action.exec)
    tcp = action.tcp_socket if isinstance(action, Probe) else None
    names = [port.name for port in container.ports if port.name is not None]
    for place in (*places, tcp):
        if place is None or isinstance(place.port, int) or place.port in names:
            continue
        from skerry.load.unknown import nearest

        near = nearest(place.port, names)
        yield place.origin.of("port").problem(
            f"container {container.name!r} has no port with the name {place.port!r}",
            hint=f"did you mean {near!r}?" if near else "",
        )


def _check_words(action: ExecAction) -> Iterator[Problem]:
    for index, word in enumerate(action.command):
        place = action.origin.of(f"command[{index}]")
        if len(word.encode()) + 1 > ARGUMENT_LIMIT:
            yield place.problem(
                f"a word of {len(word.encode())} bytes: Linux passes at most "
                f"{ARGUMENT_LIMIT - 1} on"
            )
