"""Volumes of pods as their containers see them, and what becomes of what they hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.live.lab_harness import wait_until
from tests.live.pod_node import PodNode

from skerry.lab import Lab

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: hello, other.txt: other, "script.sh": "echo it runs"}
binaryData: {bytes: AAEC/w==}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""
NAME, UNIT = "skerry-one.0", "skerry-one.0.service"


def pod(volumes: list[str], mounts: list[str], security: str = "{}") -> str:
    """A pod with these volumes and mounts (the insides of YAML flow mappings)."""
    all_volumes = ", ".join(f"{{{one}}}" for one in volumes)
    all_mounts = ", ".join(f"{{{one}}}" for one in mounts)
    return f"""
apiVersion: v1
kind: Pod
metadata:
  name: one
  labels: {{app: one, tier: back}}
  annotations: {{note: "two words"}}
spec:
  securityContext: {security}
  containers:
    - name: c
      image: IMAGE
      command: [sleep, "100000"]
      resources: {{limits: {{memory: 64Mi}}}}
      volumeMounts: [{all_mounts}]
  volumes: [{all_volumes}]
"""


@pytest.fixture(scope="module")
def pod_node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("volumes")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("volumes"))


@pytest.fixture
def node(pod_node: PodNode) -> PodNode:
    """The node, with nothing running on it."""
    if pod_node.running:
        pod_node.clean()
    return pod_node


def start(node: PodNode, manifest: str) -> None:
    """Starts the pod and waits until its container can be looked into."""
    node.start(CONFIG, one=manifest)
    node.wait_active(UNIT)


@pytest.mark.honours(
    "Volume.configMap",
    "ConfigMapVolumeSource.name",
    "ConfigMapVolumeSource.items",
    "ConfigMapVolumeSource.defaultMode",
    "ConfigMapVolumeSource.optional",
    "KeyToPath.key",
    "KeyToPath.path",
    "KeyToPath.mode",
    "ConfigMap.binaryData",
    "VolumeMount.subPath",
)
def test_config_map_with_items_modes_and_sub_paths(node: PodNode) -> None:
    # Two volumes of one ConfigMap, and a key in the place of a file of the image.
    items = "items: [{key: index.html, path: a/b/page}, {key: bytes, path: raw, mode: 0640}]"
    start(
        node,
        pod(
            [
                f"name: some, configMap: {{name: page, defaultMode: 0400, {items}}}",
                "name: whole, configMap: {name: page}",
                "name: run, configMap: {name: page, defaultMode: 0755}",
                "name: none, configMap: {name: gone, optional: true}",
            ],
            [
                "name: some, mountPath: /some",
                "name: whole, mountPath: /whole",
                "name: whole, mountPath: /etc/passwd, subPath: other.txt",
                "name: some, mountPath: /deep, subPath: a/b",
                "name: run, mountPath: /run/script, subPath: script.sh",
                "name: none, mountPath: /none",
                "name: none, mountPath: /etc/group, subPath: file",
            ],
        ),
    )
    modes = node.within(NAME, "cd /some; stat -c %n:%a:%u:%g a/b/page raw; ls -R /some")
    assert modes.split() == [
        "a/b/page:400:0:0", "raw:640:0:0",
        "/some:", "a", "raw", "/some/a:", "b", "/some/a/b:", "page",
    ]  # fmt: skip
    assert node.shell(f"podman exec {NAME} cat /some/raw").stdout == b"\0\x01\x02\xff"
    assert node.within(NAME, "ls /whole").split() == [
        "bytes", "index.html", "other.txt", "script.sh",
    ]  # fmt: skip
    assert node.within(NAME, "cat /etc/passwd /deep/page") == "otherhello"
    assert node.within(NAME, "/run/script") == "it runs"
    assert node.within(NAME, "ls -A /none; cat /etc/group").startswith("root:")
    assert node.within(NAME, "echo x >/some/raw || echo no; echo x >/none/x || echo no") == "no\nno"


@pytest.mark.honours(
    "Volume.projected",
    "ProjectedVolumeSource.sources",
    "ProjectedVolumeSource.defaultMode",
    "VolumeProjection.configMap",
    "VolumeProjection.downwardAPI",
    "ConfigMapProjection.name",
    "ConfigMapProjection.items",
    "ConfigMapProjection.optional",
    "DownwardAPIProjection.items",
    "Volume.downwardAPI",
    "DownwardAPIVolumeSource.items",
    "DownwardAPIVolumeSource.defaultMode",
    "DownwardAPIVolumeFile.path",
    "DownwardAPIVolumeFile.fieldRef",
    "DownwardAPIVolumeFile.resourceFieldRef",
    "DownwardAPIVolumeFile.mode",
    "ResourceFieldSelector.containerName",
)
def test_files_about_the_pod_and_of_several_sources(node: PodNode) -> None:
    def field(name: str) -> str:
        path = name.rpartition(".")[2][:6]
        return f"{{path: {path}, fieldRef: {{fieldPath: {name}}}}}"

    amount = "resourceFieldRef: {containerName: c, resource: limits.memory, divisor: 1Mi}"
    fields = ", ".join(map(field, ("metadata.name", "metadata.labels", "metadata.annotations")))
    start(
        node,
        pod(
            [
                f"name: about, downwardAPI: {{defaultMode: 0440, items: [{fields}, "
                f"{{path: memory, mode: 0404, {amount}}}]}}",
                "name: all, projected: {defaultMode: 0444, sources: [{configMap: {name: page, "
                "items: [{key: index.html, path: conf/page, mode: 0400}]}}, {configMap: "
                "{name: gone, optional: true}}, {downwardAPI: {items: [{path: conf/tier, "
                "fieldRef: {fieldPath: \"metadata.labels['tier']\"}}]}}]}",
            ],
            ["name: about, mountPath: /about", "name: all, mountPath: /all"],
        ),
    )
    assert node.within(NAME, "cd /about; stat -c %n:%a *").split() == [
        "annota:440", "labels:440", "memory:404", "name:440",
    ]  # fmt: skip
    assert node.within(NAME, "cat /about/name; echo; cat /about/memory") == "one\n64"
    assert node.within(NAME, "cat /about/labels") == 'app="one"\ntier="back"'
    assert node.within(NAME, "cat /about/annota") == 'note="two words"'
    assert node.within(NAME, "cd /all; stat -c %n:%a conf/*; cat conf/page; cat conf/tier") == (
        "conf/page:400\nconf/tier:444\nhelloback"
    )


@pytest.mark.honours(
    "Volume.emptyDir", "EmptyDirVolumeSource.medium", "EmptyDirVolumeSource.sizeLimit"
)
def test_memory_is_bounded_and_outlives_the_container(node: PodNode) -> None:
    fast, scratch = "/var/lib/skerry/volumes/skerry-one.0.fast", "/var/lib/skerry/volumes/"
    node.start(
        CONFIG,
        one=pod(
            [
                "name: fast, emptyDir: {medium: Memory, sizeLimit: 3Mi}",
                "name: rest, emptyDir: {medium: Memory}",
                "name: disk, emptyDir: {}",
            ],
            [
                "name: fast, mountPath: /fast",
                "name: rest, mountPath: /rest",
                "name: disk, mountPath: /disk",
            ],
        ),
    )
    node.wait_active(UNIT)
    sizes = node.within(NAME, "df -k /fast /rest | while read d s r; do echo $d $s; done")
    # Without a limit it is what the containers may use of memory.
    assert sizes.splitlines()[1:] == [f"skerry {3 * 1024}", f"skerry {64 * 1024}"]
    node.within(NAME, "dd if=/dev/zero of=/fast/some bs=1k count=2048 2>/dev/null")
    full = node.within(NAME, "dd if=/dev/zero of=/fast/more bs=1k count=2048 2>&1 || echo failed")
    assert "No space left on device" in full
    assert full.endswith("failed")
    # The owner of what it made is the same for the container, and root for the node.
    seen = "stat -c %u:%g:%a /fast /fast/some /disk"
    assert node.within(NAME, seen).split() == ["0:0:777", "0:0:644", "0:0:777"]
    assert node.shell(f"stat -c %u {fast}/some").text == "0"
    node.shell(f"podman exec --user 1000:1000 {NAME} touch /fast/by-user || true")
    node.shell(f"podman kill {NAME}")
    wait_until(lambda: node.show(UNIT, "NRestarts") != ["0"], 60, "the container again")
    node.wait_active(UNIT)
    assert node.within(NAME, "stat -c %s /fast/some") == str(2048 * 1024)
    assert "fast" in node.shell(f"ls {scratch}").text


CLAIM = "/var/lib/skerry/claims/files"


@pytest.mark.honours(
    "Volume.persistentVolumeClaim",
    "PersistentVolumeClaimVolumeSource.claimName",
    "PersistentVolumeClaimVolumeSource.readOnly",
    "VolumeMount.readOnly",
)
def test_claim_outlives_its_pod(node: PodNode) -> None:
    claim = "persistentVolumeClaim: {claimName: files"
    manifest = pod(
        [f"name: v, {claim}}}", f"name: ro, {claim}, readOnly: true}}"],
        [
            "name: v, mountPath: /v",
            "name: v, mountPath: /look, readOnly: true",
            "name: ro, mountPath: /ro",
            "name: v, mountPath: /sub, subPath: deep/er",
        ],
    )
    start(node, manifest)
    node.within(NAME, "echo kept >/v/text; mkdir /v/own; chown 999:998 /v/own; chmod 700 /v/own")
    node.within(NAME, "echo below >/sub/text")
    seen = node.within(NAME, "cat /look/text /ro/text /ro/deep/er/text; stat -c %u:%g:%a /v/own")
    assert seen.split() == ["kept", "kept", "below", "999:998:700"]
    tried = node.within(NAME, "for d in /look /ro; do touch $d/x 2>&1 || echo no; done")
    assert tried.count("Read-only file system") == 2
    # The node sees the ids of the container, which are other ones for its processes.
    assert node.shell(f"stat -c %u:%g {CLAIM}/own {CLAIM}/text").text.split() == ["999:998", "0:0"]
    before = node.within(NAME, "cat /proc/self/uid_map")
    node.shell(f"systemctl stop {UNIT}")
    # Other user ids than before: somebody else has those.
    node.shell("podman run -d --name other --userns=auto:size=65536 localhost/skerry-busybox "
             "sleep 100000")  # fmt: skip
    node.shell(f"systemctl start {UNIT}")
    assert node.within(NAME, "cat /proc/self/uid_map") != before
    seen = node.within(NAME, "cat /v/text; stat -c %u:%g:%a /v/own; echo more >>/v/text")
    assert seen.split() == ["kept", "999:998:700"]
    node.shell("podman rm -f --time 0 other")


@pytest.mark.honours("PodSecurityContext.fsGroup")
def test_group_of_the_pod_owns_its_volumes(node: PodNode) -> None:
    node.shell(f"mkdir -p {CLAIM}/old; echo x >{CLAIM}/old/text; ln -s /etc/hostname {CLAIM}/link; "
             f"chmod 600 {CLAIM}/old/text; chmod 755 {CLAIM}")  # fmt: skip
    host = node.shell("stat -c %u:%g:%a /etc/hostname").text
    manifest = pod(
        [
            "name: v, persistentVolumeClaim: {claimName: files}",
            "name: disk, emptyDir: {}",
            "name: fast, emptyDir: {medium: Memory}",
            "name: conf, configMap: {name: page, defaultMode: 0400}",
            "name: there, hostPath: {path: /srv/there, type: DirectoryOrCreate}",
        ],
        [f"name: {name}, mountPath: /{name}" for name in ("v", "disk", "fast", "conf", "there")],
        "{fsGroup: 2000}",
    )
    start(node, manifest)
    names = "v v/old v/old/text disk fast conf/index.html there"
    assert node.within(NAME, f"cd /; stat -c %n:%u:%g:%a {names}").split() == [
        "v:0:2000:2775", "v/old:0:2000:2775", "v/old/text:0:2000:660", "disk:0:2000:2777",
        "fast:0:2000:2777", "conf/index.html:0:2000:440", "there:0:0:755",
    ]  # fmt: skip
    assert node.shell("stat -c %u:%g:%a /etc/hostname").text == host
    # What a process of the group makes belongs to the group, on the node too.
    node.shell(f"podman exec --user 1000:2000 {NAME} sh -c 'echo y >/v/old/new; cat /v/old/text'")
    assert node.shell(f"stat -c %u:%g {CLAIM}/old/new").text == "1000:2000"


# Says that it listens, and writes down what it hears.
LISTEN = """
import os, socket
heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
heard.bind("/run/listen.sock")
os.chmod("/run/listen.sock", 0o600)
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
open("/srv/heard", "wb").write(heard.recv(1000))
"""


@pytest.mark.honours(
    "Volume.hostPath", "HostPathVolumeSource.path", "HostPathVolumeSource.type", "Volume.name"
)
def test_host_paths_of_every_type(node: PodNode) -> None:
    node.shell(
        "mkdir -p /srv/folder; echo x >/srv/file; mknod -m 0660 /srv/zero c 1 5; "
        "chown 0:20 /srv/zero; mknod -m 0600 /srv/fuse c 10 229; "
        f"mknod -m 0600 /srv/block b 7 0; cat >/srv/listen <<'E'\n{LISTEN}E\n"
        "systemd-run -q -p Type=notify -p NotifyAccess=all python3 /srv/listen"
    )
    paths = {
        "any": ("/srv/file", ""),
        "made": ("/srv/made/deep", "DirectoryOrCreate"),
        "folder": ("/srv/folder", "Directory"),
        "touched": ("/srv/touched", "FileOrCreate"),
        "file": ("/srv/file", "File"),
        "zero": ("/srv/zero", "CharDevice"),
        "block": ("/srv/block", "BlockDevice"),
        "socket": ("/run/listen.sock", "Socket"),
        "look": ("/srv/fuse", "CharDevice"),
    }
    volumes = [
        f'name: {name}, hostPath: {{path: {path}, type: "{kind}"}}'
        for name, (path, kind) in paths.items()
    ]
    mounts = [f"name: {name}, mountPath: /x/{name}" for name in paths]
    mounts[-1] += ", readOnly: true"
    mounts += ["name: folder, mountPath: /sub, subPath: new/one"]
    start(node, pod(volumes, mounts))
    assert node.within(NAME, "stat -c %n:%F /x/*").splitlines() == [
        "/x/any:regular file", "/x/block:block special file", "/x/file:regular file",
        "/x/folder:directory", "/x/look:character special file", "/x/made:directory",
        "/x/socket:socket", "/x/touched:regular empty file", "/x/zero:character special file",
    ]  # fmt: skip
    assert node.within(NAME, "echo y >>/x/touched; cat /x/any; echo z >/sub/f").split() == ["x"]
    assert node.shell("cat /srv/touched /srv/folder/new/one/f").text.split() == ["y", "z"]
    # Owners and modes of devices are those of the node, and so is who may use them.
    assert node.within(NAME, "stat -c %u:%g:%a /x/zero").split() == ["0:20:660"]
    device = "dd if=/x/zero bs=5 count=1 2>/dev/null | wc -c; echo w >/x/zero && echo written"
    for user, seen in (("0", "5 written"), ("1234:20", "5 written"), ("1234", "0")):
        used = node.shell(f"podman exec --user {user} {NAME} sh -c '{device}'", check=False)
        assert used.text.split() == seen.split()
    opened = node.within(NAME, "(exec 3</x/look) && echo read; (exec 3>/x/look) || echo no writing")
    assert opened.splitlines() == ["read", "no writing"]
    # The socket is root's alone too, and root in the container is its owner.
    node.within(NAME, "ln -s /x/socket /dev/log; busybox logger -t skerry hello there")
    wait_until(lambda: b"hello there" in node.read("/srv/heard"), 20, "the words")
