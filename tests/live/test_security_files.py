"""Every file that Skerry writes, on both sides, has the mode that docs/security.md says."""

from __future__ import annotations

import getpass
import grp
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.file_modes import ON_OUR_SIDE, ON_THE_NODE
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE, build_busybox_image
from tests.live.lab_harness import wait_until
from tests.live.written_files import (
    Entry,
    faults_of,
    find_command,
    parse_found,
    written_since,
)

from skerry.edge.run import Command, run
from skerry.lab import Lab

# Written by the system, by Podman, by sshd and sudo, and by whom nobody told to.
OTHERS_ON_THE_NODE = (
    "/proc", "/sys", "/dev", "/usr", "/var/log", "/var/cache", "/var/lib/containers",
    "/var/lib/systemd", "/var/lib/dpkg", "/var/lib/apt", "/var/lib/dbus", "/run/containers",
    "/run/crun", "/run/runc", "/run/netns", "/run/libpod", "/run/systemd", "/run/udev",
    "/run/log", "/run/lock", "/run/sudo", "/run/user", "/run/utmp", "/run/dbus", "/run/sshd*",
    "/run/credentials", "/run/initctl", "/run/host", "/run/mount",
    "/run/nftables*", "/run/motd*", "/run/skerry-*", "/var/tmp/intermediate-*",
    "/tmp/systemd-private-*", "/var/tmp/systemd-private-*",
    "/etc/passwd*", "/etc/group*", "/etc/shadow*", "/etc/gshadow*", "/etc/.pwd.lock",
    "/var/lib/skerry/program/*/skerry_node/__pycache__/*",
)  # fmt: skip
MANIFESTS = {
    "web": f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: page}}
data: {{index.html: hello}}
---
apiVersion: v1
kind: Secret
metadata: {{name: db}}
stringData: {{password: $(db-password)}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: kept}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}} }} }}
---
apiVersion: v1
kind: Pod
metadata: {{name: web}}
spec:
  activeDeadlineSeconds: 86400
  dnsConfig: {{searches: [example.org]}}
  containers:
    - name: main
      image: {BUSYBOX_IMAGE}
      command: [httpd, -f, -p, "8080", -h, /www]
      env:
        - name: PASSWORD
          valueFrom: {{secretKeyRef: {{name: db, key: password}} }}
        - name: ADDRESS
          valueFrom: {{fieldRef: {{fieldPath: status.podIP}} }}
      readinessProbe: {{httpGet: {{path: /index.html, port: 8080}}, periodSeconds: 1}}
      volumeMounts:
        - {{name: page, mountPath: /www}}
        - {{name: one, mountPath: /one}}
        - {{name: scratch, mountPath: /scratch}}
        - {{name: kept, mountPath: /kept}}
    - {{name: beside, image: {BUSYBOX_IMAGE}, command: [sleep, "100000"]}}
  volumes:
    - name: page
      configMap: {{name: page}}
    - name: one
      configMap: {{name: page, items: [{{key: index.html, path: below/page}}]}}
    - {{name: scratch, emptyDir: {{}} }}
    - name: kept
      persistentVolumeClaim: {{claimName: kept}}
""",
    "once": f"""\
apiVersion: batch/v1
kind: Job
metadata: {{name: once}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: main, image: {BUSYBOX_IMAGE}, command: ["true"]}}]
""",
    "often": f"""\
apiVersion: batch/v1
kind: CronJob
metadata: {{name: often}}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{{name: main, image: {BUSYBOX_IMAGE}, command: ["true"]}}]
""",
}


@pytest.fixture(scope="module")
def bare(new_lab: Callable[..., Lab]) -> Lab:
    """A node with the packages, and nothing of Skerry's yet."""
    build_busybox_image()
    lab = new_lab("modes")
    lab.up(nodes=1, with_podman=True)
    return lab


def shown_as_in_the_table(found: dict[str, Entry], place: Path) -> dict[str, Entry]:
    """By the table's names for folders; what this test wrote itself, and Podman, is left out."""
    found.pop(f"{place}/home/.cache", None)
    names = {
        f"{place}/home/.cache/": "$XDG_CACHE_HOME/",
        f"{place}/home/": "",
        f"{place}/run/": "$XDG_RUNTIME_DIR/",
        f"{place}/": "",
    }
    who = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"
    shown = {}
    for path, entry in found.items():
        folder = next(folder for folder in names if path.startswith(folder))
        name = names[folder] + path.removeprefix(folder)
        is_others = name.startswith(("$XDG_RUNTIME_DIR/crun", "$XDG_RUNTIME_DIR/libpod"))
        if not is_others and not re.fullmatch(r"cloud/pods/.*\.yaml", name):
            assert entry.owner == who, f"{name} belongs to {entry.owner}"
            shown[name] = entry._replace(owner="root:root")
    return shown


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name: a socket's path has an end."""
    with tempfile.TemporaryDirectory(prefix="sk-", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.claims("modes")
@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_every_file_is_in_the_table_whatever_the_umask(
    bare: Lab, place: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    bare.renew("alpha")
    home, folder = place / "home", place / "home/cloud"
    for path in (home, place / "tmp", place / "run"):
        path.mkdir(mode=0o700)
    key = home / "key"
    run(Command.of("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key))
    for name, path in (
        ("HOME", home), ("TMPDIR", place / "tmp"), ("XDG_RUNTIME_DIR", place / "run"),
        ("XDG_CACHE_HOME", home / ".cache"), ("SKERRY_IDENTITY", key),
        ("XDG_STATE_HOME", bare.ssh_config.parents[3]),
    ):  # fmt: skip
        monkeypatch.setenv(name, str(path))
    cloud = LiveCloud(folder, bare)
    # Of its own, sshd lets no session have an open one.
    line = f"session optional pam_umask.so umask={umask:04o}"
    cloud.ssh("alpha", f"echo '{line}' >>/etc/pam.d/sshd")
    assert int(cloud.ssh("alpha", "umask").text, 8) == umask, "it is not what sessions get"
    look = find_command(("/",), OTHERS_ON_THE_NODE)
    node_before = parse_found(cloud.ssh("alpha", look).stdout)
    ours_before = look_here(place)

    old = os.umask(umask)
    try:
        run(cloud_command(place, "init", str(folder), "--name", "test", "--lab", bare.name))
        cloud.skerry("node", "add", "alpha", f"root@{cloud.addresses['alpha']}")
        for example in (folder / "pods").iterdir():
            example.unlink()
        text = (folder / "cloud.yaml").read_text()
        cloud.header = text[: text.index("\nrun:") + 1]
        cloud.skerry("secret", "set", "db-password", typed="hunter2")
        for name, manifest in MANIFESTS.items():
            cloud.place(name, manifest)
        for verb in ("check", "plan"):
            cloud.skerry(verb)
        cloud.skerry("apply", "--yes", "-m", "all there is")
        for verb in ("status", "plan"):
            cloud.skerry(verb)
        # As its timer would, within a minute.
        cloud.ssh("alpha", "systemctl start --no-block skerry-often.cron.service")
        stamps = "ls /var/lib/skerry/completed /var/lib/skerry/volumes/*.cron/0/ended"
        wait_until(lambda: cloud.shell("alpha", stamps, check=False).status == 0, 120, "jobs ended")
        node_after = parse_found(cloud.ssh("alpha", look).stdout)
        ours_after = look_here(place)
    finally:
        os.umask(old)
    node = written_since(node_before, node_after)
    ours = shown_as_in_the_table(written_since(ours_before, ours_after), place)
    faults = faults_of(node, ON_THE_NODE) + faults_of(ours, ON_OUR_SIDE, umask=umask)
    assert faults == [], "\n".join(faults)


def cloud_command(folder: Path, *words: str) -> Command:
    """`skerry` with these words, in a folder."""
    return Command((sys.executable, "-m", "skerry", *words), cwd=str(folder))


def look_here(folder: Path) -> dict[str, Entry]:
    """All that lies below a folder of the operator's."""
    return parse_found(run(Command(("sh", "-c", find_command((str(folder),), ())))).stdout)
