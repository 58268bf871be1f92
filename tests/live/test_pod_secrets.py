"""Every way in which a pod can use a Secret, as its containers see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.live.cloud_for_tests import LiveCloud
from tests.live.images_for_tests import BUSYBOX_IMAGE
from tests.live.test_secrets import identity, podman_secrets, secret_cloud

__all__ = ["identity", "secret_cloud"]

MANIFEST = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
type: kubernetes.io/basic-auth
stringData:
  username: $(user)
  password: $(password)
data:
  binary: AAH/Cg==
---
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index.html: a page}
---
apiVersion: v1
kind: Pod
metadata: {name: app, labels: {tier: back}}
spec:
  securityContext: {fsGroup: 77}
  initContainers:
    - name: first
      image: IMAGE
      command: [sh, -c, 'echo "$PASSWORD" >/work/init; cat /login/password >>/work/init']
      env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}]
      volumeMounts: [{name: login, mountPath: /login}, {name: work, mountPath: /work}]
  containers:
    - name: main
      image: IMAGE
      command: [sh, -c, exec tail -f /dev/null]
      env:
        - name: NO_SECRET
          valueFrom: {secretKeyRef: {name: none, key: password, optional: true}}
        - name: NO_KEY
          valueFrom: {secretKeyRef: {name: login, key: none, optional: true}}
        - {name: BOTH, value: "$(LOGIN_username):$(LOGIN_password)@$$(x)"}
      envFrom:
        - prefix: LOGIN_
          secretRef: {name: words}
        - secretRef: {name: none, optional: true}
      volumeMounts:
        - {name: login, mountPath: /login}
        - {name: chosen, mountPath: /chosen}
        - {name: none, mountPath: /none}
        - {name: all, mountPath: /all}
        - {name: chosen, mountPath: /etc/alone, subPath: deep/password}
        - {name: chosen, mountPath: /part, subPath: deep}
        - {name: work, mountPath: /work}
    - name: second
      image: IMAGE
      command: [sh, -c, exec tail -f /dev/null]
      volumeMounts: [{name: login, mountPath: /login}]
  volumes:
    - name: work
      emptyDir: {}
    - name: login
      secret: {secretName: login}
    - name: chosen
      secret:
        secretName: login
        defaultMode: 0400
        items:
          - {key: username, path: user}
          - {key: password, path: deep/password, mode: 0444}
    - name: none
      secret: {secretName: none, optional: true}
    - name: all
      projected:
        defaultMode: 0440
        sources:
          - configMap: {name: page}
          - secret: {name: login, items: [{key: password, path: sub/password}]}
          - secret: {name: none, optional: true}
          - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
---
apiVersion: v1
kind: Secret
metadata: {name: words}
stringData: {username: $(user), password: $(password)}
"""
PASSWORD = "pa\"ss'w$rd\nsecond line %h \\n"


@pytest.mark.honours(
    "EnvFromSource.secretRef",
    "Secret.type",
    "SecretEnvSource.name",
    "SecretEnvSource.optional",
    "SecretKeySelector.optional",
    "SecretProjection.items",
    "SecretProjection.name",
    "SecretProjection.optional",
    "SecretVolumeSource.defaultMode",
    "SecretVolumeSource.items",
    "SecretVolumeSource.optional",
    "VolumeProjection.secret",
)
def test_every_use_of_a_secret(secret_cloud: LiveCloud, tmp_path: Path) -> None:
    cloud = secret_cloud
    (tmp_path / "password").write_text(PASSWORD)
    cloud.skerry("secret", "set", "password", "--file", str(tmp_path / "password"))
    cloud.skerry("secret", "set", "user", typed="eva")
    cloud.place("app", MANIFEST.replace("IMAGE", BUSYBOX_IMAGE), "nodes: [alpha]")
    cloud.skerry("apply", "--yes")

    def main(script: str, container: str = "main") -> str:
        found = cloud.containers("alpha")
        (name,) = [one for one in found if one.endswith(f".{container}")]
        return cloud.shell("alpha", f"podman exec {name} sh -c '{script}'").stdout.decode()

    assert main("cat /work/init") == f"{PASSWORD}\n{PASSWORD}"
    assert main('echo -n "$LOGIN_password"') == PASSWORD
    assert main('echo -n "$BOTH"') == f"eva:{PASSWORD}@$(x)"
    assert (
        main("echo ${NO_SECRET-unset} ${NO_KEY-unset} ${username-unset}") == "unset unset unset\n"
    )
    for container in ("main", "second"):
        assert main("cat /login/password", container) == PASSWORD
    assert main("od -An -tx1 /login/binary || cat /login/binary | wc -c").split()[-1:] in (
        [["0a"], ["4"]]
    )
    # With an fsGroup its members can read, as in Kubernetes.
    assert main("stat -c %a:%u:%g /login/password /chosen/user /chosen/deep/password").split() == [
        "644:0:77",
        "440:0:77",
        "444:0:77",
    ]
    assert main("cat /chosen/user /chosen/deep/password") == f"eva{PASSWORD}"
    assert main("cd /chosen; echo * */*") == "deep user deep/password\n"
    assert main("cat /etc/alone") == PASSWORD
    assert main("cat /part/password") == PASSWORD
    assert main("ls -A /none") == ""
    assert main("cat /all/index.html /all/sub/password") == f"a page{PASSWORD}"
    assert "back" in main("cat /all/labels")
    assert main("stat -c %a:%g /all/sub/password /all/index.html").split() == ["440:77"] * 2
    assert main("touch /login/new /all/new 2>&1 || echo refused").endswith("refused\n")

    names = podman_secrets(cloud)
    cloud.skerry("secret", "set", "user", typed="otto")
    cloud.skerry("apply", "--yes")
    assert main('echo -n "$LOGIN_username"') == "otto"
    assert main("cat /chosen/user") == "otto"
    assert main("cat /etc/alone") == PASSWORD
    assert len(podman_secrets(cloud)) == len(names)
