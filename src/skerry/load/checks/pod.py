"""A pod's spec in itself: one file per concern does the work."""

from __future__ import annotations

from collections.abc import Sequence

from skerry.errors import Problem
from skerry.load.checks.container import check_container
from skerry.load.checks.defaults import check_defaults
from skerry.load.checks.environment import check_environment
from skerry.load.checks.names import check_doubles
from skerry.load.checks.network import check_network
from skerry.load.checks.ports import check_ports
from skerry.load.checks.probes import check_probes
from skerry.load.checks.scheduling import check_scheduling
from skerry.load.checks.security import check_security
from skerry.load.checks.volumes import check_device_mounts, check_volume
from skerry.model.pod import PodSpec


def check_pod_spec(spec: PodSpec, claim_templates: Sequence[str] = ()) -> list[Problem]:
    """The problems of a pod's containers and volumes in themselves.

    `claim_templates` are names of volumes that a StatefulSet adds.
    """
    problems = list(check_doubles("container", spec.all_containers))
    problems += check_doubles("volume", spec.volumes)
    for volume in spec.volumes:
        problems += check_volume(volume, spec)
    volumes = [*(volume.name for volume in spec.volumes), *claim_templates]
    for container in spec.all_containers:
        problems += check_container(container, volumes)
    problems += check_device_mounts(spec)
    problems += check_environment(spec)
    problems += check_ports(spec)
    problems += check_defaults(spec)
    problems += check_network(spec)
    problems += check_probes(spec)
    problems += check_security(spec)
    problems += check_scheduling(spec)
    return problems
