"""Manifests taken unchanged from the Kubernetes documentation run (examples/kubernetes-docs).

No registry can be reached from here, so images of the names that they ask for are made of
Debian's packages.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import LIST_RUNNING, wait_until

from skerry.edge.run import Command, run

PODS = Path(__file__).parents[2] / "examples/kubernetes-docs/pods"
NGINX = """\
# nginx as its own image has it: root, port 80, in the foreground.
base: debian-13
packages: [nginx-light]
ports: [80]
entrypoint: [nginx, -g, "daemon off;"]
"""
# Debian's base has no HTTP client, bash can ask.
ASK = r"exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3"


@pytest.fixture(scope="module")
def documented(live_cloud: LiveCloud, tmp_path_factory: pytest.TempPathFactory) -> LiveCloud:
    """The three manifests, applied together on the session's three nodes."""
    live_cloud.empty()
    cloud = live_cloud.second_operator(tmp_path_factory.mktemp("docs"))
    (cloud.folder / "images/nginx").mkdir(parents=True)
    (cloud.folder / "images/nginx/image.yaml").write_text(NGINX)
    cloud.write_cloud()
    cloud.skerry("image", "build", timeout=600)
    build_busybox_image()
    tag("localhost/nginx", "docker.io/library/nginx:1.14.2")
    tag(BUSYBOX_IMAGE, "docker.io/library/busybox:1.28", "registry.k8s.io/busybox:1.27.2")
    cloud.place("nginx-deployment", (PODS / "nginx-deployment.yaml").read_text())
    cloud.place("hello", (PODS / "cronjob.yaml").read_text())
    cloud.place("liveness-exec", (PODS / "exec-liveness.yaml").read_text())
    cloud.skerry("apply", "--yes", "-m", "out of the Kubernetes documentation")
    return cloud


@pytest.fixture(scope="module", autouse=True)
def emptied(documented: LiveCloud, live_cloud: LiveCloud) -> Iterator[None]:
    """Takes all of it off the nodes at the end."""
    yield
    live_cloud.empty()


def tag(reference: str, *names: str) -> None:
    """Gives an image in this machine's store further names."""
    run(Command.of("podman", "tag", reference, *names))


def containers_of(cloud: LiveCloud, workload: str) -> list[tuple[str, str]]:
    """The running containers of a workload as (node, name), by the nodes' own words."""
    return [
        (node, name)
        for node in cloud.addresses
        for name in cloud.containers(node)
        if f"{workload}." in name and not name.endswith(("-infra", ".infra"))
    ]


def restarts_of(cloud: LiveCloud, workload: str) -> int:
    """How often the workload's container was started again, as status has it."""
    rows = cloud.json("status")["replicas"]
    return sum(row["restarts"] or 0 for row in rows if row["workload"] == workload)


@pytest.mark.honours(
    "DeploymentSpec.replicas",
    "DeploymentSpec.selector",
    "DeploymentSpec.template",
    "PodTemplateSpec.metadata",
    "PodTemplateSpec.spec",
    "PodSpec.containers",
    "Container.name",
    "Container.image",
)
def test_the_deployment_answers_in_both_replicas(documented: LiveCloud) -> None:
    found = containers_of(documented, "nginx-deployment")
    assert len(found) == 2, found
    manifest = yaml.safe_load((documented.folder / "pods/nginx-deployment.yaml").read_text())
    selected = " ".join(
        f"--filter label={shlex.quote(f'{key}={value}')}"
        for key, value in manifest["spec"]["selector"]["matchLabels"].items()
    )
    for node, container in found:
        listing = f"{LIST_RUNNING} {selected} --format '{{{{.Names}}}}'"
        names = documented.shell(node, listing).text
        assert container in names.split(), "the selector's labels are those of the replicas"
    for node, container in found:
        asked = documented.shell(node, f"podman exec {container} bash -c {shlex.quote(ASK)}")
        assert "200 OK" in asked.text and "Welcome to nginx" in asked.text, asked.text


@pytest.mark.honours(
    "CronJobSpec.schedule",
    "CronJobSpec.jobTemplate",
    "JobTemplateSpec.spec",
    "JobSpec.template",
)
def test_the_cron_job_fires_and_prints(documented: LiveCloud) -> None:
    wait_until(
        lambda: "Hello from" in documented.skerry("logs", "hello", expect=None).text,
        150,
        "the first minute's greeting",
    )


@pytest.mark.honours("Container.livenessProbe", "Container.args")
def test_the_probe_restarts_the_pod_when_it_is_no_longer_healthy(documented: LiveCloud) -> None:
    [(node, container)] = containers_of(documented, "liveness-exec")
    healthy = f"podman exec {container} cat /tmp/healthy"
    wait_until(
        lambda: restarts_of(documented, "liveness-exec") >= 1,
        240,
        "a restart by the liveness probe",
    )
    wait_until(
        lambda: documented.shell(node, healthy, check=False).status == 0,
        60,
        "the file to be there again",
    )
