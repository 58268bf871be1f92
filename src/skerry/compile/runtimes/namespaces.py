"""What the containers of a pod share with each other, and with the node if they are told to.

Sources: podman-run(1), podman-pod-create(1); Kubernetes API reference, PodSpec v1 core.
"""

from __future__ import annotations

from skerry.compile.runtimes.quadlet import Section
from skerry.compile.runtimes.sources import Instance

# With the ids of a whole system, as Kubernetes gives to each pod: Podman's own guess leaves out
# `nobody`, and users that are not in the image's /etc/passwd.
_USER_NAMESPACE = "--userns=auto:size=65536"


def compile_namespaces(instance: Instance) -> Section:
    """Network, host name and user namespace, which the containers of a pod share.

    A pod in the node's network is in its user namespace too, as in Kubernetes: otherwise it could
    neither take a port below 1024 nor change anything of the network.
    """
    if instance.workload.spec.host_network:
        return [("Network", "host")]
    return [
        ("PodmanArgs", f"--hostname={instance.workload.name}"),
        ("PodmanArgs", _USER_NAMESPACE),
    ]
