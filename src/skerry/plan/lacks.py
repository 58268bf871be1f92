"""What a node lacks for its workloads, from its facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from skerry.compile.node_facts import ARCHITECTURES
from skerry.compile.tree import Needs


def plan_lacks(needs: Iterable[Needs], facts: Mapping[str, Any]) -> Iterator[str]:
    """One line for each thing that the node has not or that is too old."""
    needs = list(needs)
    if not needs:
        return
    podman = parse_version(facts.get("podman_version"))
    if podman is None:
        yield "Podman is not installed: run `skerry node add` for this node again"
        return
    if facts.get("container_users") is False:
        yield (
            "there are no user ids for containers (/etc/subuid, /etc/subgid): "
            "run `skerry node add` for this node again"
        )
    kernel = parse_version(facts.get("kernel"))
    systemd = parse_version(facts.get("systemd_version"), parts=1)
    machine = str(facts.get("architecture", ""))
    for need in needs:
        if podman < need.podman:
            yield (
                f"{need.workload} needs Podman {_shown(need.podman)} (several containers in one "
                f"pod); the node has {facts['podman_version']}"
            )
        if kernel is not None and kernel < need.kernel:
            yield (
                f"{need.workload} needs Linux {_shown(need.kernel)} (volumes in a user "
                f"namespace); the node has {facts['kernel']}"
            )
        if systemd is not None and systemd < (need.systemd,):
            yield (
                f"{need.workload} needs systemd {need.systemd} ({_why(need.systemd)}); "
                f"the node has {facts['systemd_version']}"
            )
        programs = facts.get("programs")
        missing = [name for name in need.programs if programs is not None and name not in programs]
        if missing:
            yield (
                f"{need.workload} needs {' and '.join(missing)} (probes): "
                "run `skerry node add` for this node again"
            )
        for architecture in need.architectures:
            if machine and ARCHITECTURES.get(machine, machine) != architecture:
                yield f"an image of {need.workload} is for {architecture}; the node is {machine}"


def parse_version(text: Any, *, parts: int = 2) -> tuple[int, ...] | None:
    """The first numbers of a version; None where there are not so many."""
    match = re.match(r"(\d+)" + r"\.(\d+)" * (parts - 1), str(text or ""))
    return tuple(map(int, match.groups())) if match else None


def _shown(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _why(systemd: int) -> str:
    """What needs this version of systemd."""
    return "init containers" if systemd >= 254 else "jobs"
