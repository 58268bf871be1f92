"""Claims and volumes of a pod through changes of the folder: what stays, and what goes with it."""

from __future__ import annotations

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE

KEEPER = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: kept}}
spec:
  accessModes: [ReadWriteOnce]
  volumeMode: Filesystem
  resources: {{requests: {{storage: 1Mi}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: keeper}}
spec:
  containers:
    - name: c
      image: {image}
      command: [sleep, "100000"]
      env: [{{name: VERSION, value: "{version}"}}]
      volumeMounts:
        - {{name: kept, mountPath: /kept}}
        - {{name: fast, mountPath: /fast}}
        - {{name: scratch, mountPath: /scratch}}
  volumes:
    - {{name: kept, persistentVolumeClaim: {{claimName: kept}}}}
    - {{name: fast, emptyDir: {{medium: Memory, sizeLimit: 1Mi}}}}
    - {{name: scratch, emptyDir: {{}}}}
"""
VOLUMES = "/var/lib/skerry/volumes"


def keeper(version: str) -> str:
    """A pod with a claim and two emptyDirs; another version is another pod."""
    return KEEPER.format(image=BUSYBOX_IMAGE, version=version)


def within(cloud: LiveCloud, script: str) -> list[str]:
    """The words that a shell command in the pod prints."""
    return cloud.shell("alpha", f"podman exec skerry-keeper.0 sh -c '{script}'").text.split()


@pytest.mark.honours(
    "PersistentVolumeClaim.apiVersion",
    "PersistentVolumeClaim.kind",
    "PersistentVolumeClaim.metadata",
    "PersistentVolumeClaim.spec",
    "PersistentVolumeClaimSpec.accessModes",
    "PersistentVolumeClaimSpec.volumeMode",
)
def test_claim_outlives_changes_and_removal_and_an_empty_dir_does_not(cloud: LiveCloud) -> None:
    cloud.place("keeper", keeper("1"), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    within(
        cloud, "for d in /kept /fast /scratch; do echo first >$d/text; done; chown 7:8 /kept/text"
    )
    assert (
        f"skerry {VOLUMES}/skerry-keeper.0.fast tmpfs"
        in cloud.shell("alpha", "cat /proc/mounts").text
    )
    assert "nothing to change" in cloud.skerry("apply", "--yes").text
    assert within(cloud, "cat /kept/text /fast/text /scratch/text") == ["first"] * 3
    # Another pod in the place of the first one.
    cloud.place("keeper", keeper("2"), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    seen = within(
        cloud, "echo $VERSION; cat /kept/text; stat -c %u:%g /kept/text; ls /fast /scratch"
    )
    assert seen == ["2", "first", "7:8", "/fast:", "/scratch:"]
    # No pod at all, and the same one again.
    cloud.remove("keeper")
    cloud.skerry("apply", "--yes")
    left = cloud.shell("alpha", f"cat /proc/mounts; ls {VOLUMES}; ls /var/lib/skerry/claims")
    assert left.text.splitlines()[-1] == "kept"
    assert "skerry-keeper" not in left.text
    cloud.place("keeper", keeper("3"), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")
    assert within(cloud, "cat /kept/text; stat -c %u:%g /kept/text") == ["first", "7:8"]
    # The manifest of a generation says which folders of claims it uses.
    units = "grep -o '\"claims\":\\[[^]]*\\]' /var/lib/skerry/current/manifest.json"
    assert '"claims":["/var/lib/skerry/claims/kept"]' in cloud.shell("alpha", units).text


@pytest.mark.honours(
    "PersistentVolumeClaimSpec.resources",
    "VolumeResourceRequirements.requests",
    "StorageResourceList.storage",
)
def test_claim_that_no_node_has_room_for_is_placed_nowhere(cloud: LiveCloud) -> None:
    # Of a claim that lies on a node already nobody asks that any more.
    vast = keeper("1").replace("kept", "vast").replace("storage: 1Mi", "storage: 900Ti")
    cloud.place("keeper", vast, "nodes: [alpha]")
    refused = cloud.skerry("plan", expect=2)
    assert "keeper" in refused.error_text
    assert "alpha" in refused.error_text
    cloud.place("keeper", vast.replace("900Ti", "1Mi"), "nodes: [alpha]")
    cloud.skerry("plan")
