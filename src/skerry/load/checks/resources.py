"""What a container asks for and may use: amounts that can be, and fit each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from skerry.errors import Problem
from skerry.model.container import Container
from skerry.model.quantity import parse_cpu, parse_memory

# Under this no program starts; such a limit is "512m" (half a byte) written for 512Mi.
LEAST_MEMORY = 1024 * 1024


def check_resources(container: Container) -> Iterator[Problem]:
    """Limits under which nothing runs, and requests beyond their limits."""
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
    yield from _check_request(container, "memory", parse_memory)
    yield from _check_request(container, "cpu", parse_cpu)


def _check_request(
    container: Container, what: str, parse: Callable[[str | int | float], int]
) -> Iterator[Problem]:
    requests, limits = container.resources.requests, container.resources.limits
    asked, allowed = getattr(requests, what), getattr(limits, what)
    if asked is not None and allowed is not None and parse(asked) > parse(allowed):
        yield requests.origin.of(what).problem(
            f"container {container.name!r} asks for more {what} ({asked}) than its limit "
            f"({allowed})"
        )
