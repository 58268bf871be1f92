"""Fields that ask for what is true here anyway: each is looked at in a running container."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.pod_node import PodNode

from skerry.edge.run import Command, run
from skerry.lab import Lab

PLAIN = """
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: default}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  containers:
    - name: c
      image: IMAGE
      imagePullPolicy: Never
      workingDir: /var
      command: [sh, -c, "pwd; exec sleep 100000"]
      ports: [{containerPort: 8080, name: web, protocol: TCP}]
"""
UNIT = "skerry-plain.0.service"


@pytest.fixture(scope="module")
def node(
    new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PodNode]:
    """A node on which `PLAIN` runs."""
    lab = new_lab("defaults")
    lab.up(nodes=1, with_podman=True)
    node = PodNode(lab, tmp_path_factory.mktemp("defaults"))
    node.start(plain=PLAIN)
    node.wait_active(UNIT)
    yield node
    lab.down()


@pytest.mark.honours("PodSpec.automountServiceAccountToken", "PodSpec.enableServiceLinks")
def test_no_token_and_no_variables_of_services(node: PodNode) -> None:
    mounted = node.within("skerry-plain.0", "cat /proc/self/mountinfo")
    assert "serviceaccount" not in mounted
    assert "_SERVICE_" not in node.within("skerry-plain.0", "env")


@pytest.mark.honours("Container.workingDir")
def test_a_command_begins_in_its_folder(node: PodNode) -> None:
    node.log(UNIT, "/var")
    assert node.within("skerry-plain.0", "readlink /proc/1/cwd") == "/var"


@pytest.mark.honours("Container.imagePullPolicy")
@pytest.mark.claims("images-not-pulled")
def test_an_image_that_is_not_there_is_not_pulled(node: PodNode) -> None:
    node.shell(f"systemctl stop {UNIT}; podman rmi --force {node.image_id}")
    assert node.shell(f"systemctl start {UNIT}", check=False).status != 0
    text = node.log(UNIT, "image not known")
    assert "Trying to pull" not in text
    archive = run(Command.of("podman", "save", BUSYBOX_IMAGE)).stdout
    node.shell("podman load --quiet", input=archive)
    node.shell(f"systemctl restart {UNIT}")
    node.wait_active(UNIT)
