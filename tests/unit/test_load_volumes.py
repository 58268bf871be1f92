"""Problems of variables and volumes, and of what they refer to: their places and words, pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.test_load_problems import POD, problems_of, write_folder

SHARED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: page}
data: {index: hello}
binaryData: {icon: aGk=}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
RESOURCE = "    env: [{{name: A, valueFrom: {{resourceFieldRef: {{{}}}}}}}]"
FIELD = "    env: [{{name: A, valueFrom: {{fieldRef: {{fieldPath: {}}}}}}}]"
DOWNWARD = "  volumes: [{{name: v, downwardAPI: {{items: [{{path: p, {}}}]}}}}]"
ITEMS = "  volumes: [{{name: v, configMap: {{name: page, items: [{}]}}}}]"
DIVISORS = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"

# What is added after POD (so its first line is line 8), and the problems.
CASES: list[tuple[str, list[str]]] = [
    (
        FIELD.format("metadata.uid"),
        [
            "8:55: fieldPath metadata.uid is not honoured: a pod has no identity here beyond its "
            "name, which is metadata.name"
        ],
    ),
    (
        FIELD.format("spec.serviceAccountName"),
        [
            "8:55: fieldPath spec.serviceAccountName is not honoured: there are no service "
            "accounts here"
        ],
    ),
    (
        FIELD.format("status.phase"),
        [
            "8:55: a variable cannot be the field 'status.phase': it can be metadata.name, "
            "metadata.namespace, metadata.labels['KEY'], metadata.annotations['KEY'], "
            "spec.nodeName, status.hostIP, status.hostIPs, status.podIP, status.podIPs"
        ],
    ),
    (
        FIELD.format("\"metadata.labels['']\""),
        ["8:55: fieldPath metadata.labels[''] has no key between the quotes"],
    ),
    (FIELD.format("\"metadata.labels['app']\""), []),
    (
        "    env: [{name: A, valueFrom: {}}]",
        [
            "8:32: the variable 'A' has a `valueFrom` without a source (give one of "
            "configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef)"
        ],
    ),
    (
        "    env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}, "
        "configMapKeyRef: {name: page, key: index}}}]",
        ["8:43: the variable 'A' has more than one source: configMapKeyRef and fieldRef"],
    ),
    (
        RESOURCE.format("resource: limits.memory, divisor: 1Mb"),
        [
            "8:86: spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: must be a "
            'quantity such as 64Mi, 1.5Gi, 0.5 or 250m, not "1Mb"'
        ],
    ),
    (
        RESOURCE.format("resource: limits.memory, divisor: 2Mi"),
        [f"8:86: limits.memory cannot be divided by 2Mi: divisors are {DIVISORS}"],
    ),
    (
        RESOURCE.format("resource: requests.cpu, divisor: 1Mi"),
        ["8:85: requests.cpu cannot be divided by 1Mi: divisors are 1, 1m"],
    ),
    (RESOURCE.format("resource: requests.cpu, divisor: 0"), []),
    (
        RESOURCE.format("resource: limits.cpu, containerName: wep"),
        ["8:89: the pod has no container 'wep' (did you mean 'web'?)"],
    ),
    (
        "    envFrom: [{}, {prefix: 1, configMapRef: {name: page}}]",
        [
            "8:28: spec.containers[0].envFrom[1].prefix: must be text, not 1, which is a number "
            'to YAML (quote it: "1")'
        ],
    ),
    (
        "    envFrom: [{}, {prefix: '1=', configMapRef: {name: page}}, {secretRef: {name: s}}]",
        [
            "8:15: an item of `envFrom` has neither of configMapRef and secretRef: it has one",
            "8:28: '1=' cannot begin a variable's name: letters, digits, '-', '_' and '.', "
            "no digit first",
        ],
    ),
    (
        "    envFrom: [{configMapRef: {name: pag}}, {configMapRef: {name: gone, optional: true}}]",
        ["8:37: there is no ConfigMap 'pag' in the cloud folder (did you mean 'page'?)"],
    ),
    (
        DOWNWARD.format("fieldRef: {fieldPath: spec.nodeName}"),
        [
            "8:77: a file of a volume cannot be the field 'spec.nodeName': it can be "
            "metadata.name, metadata.namespace, metadata.labels, metadata.annotations, "
            "metadata.labels['KEY'], metadata.annotations['KEY']"
        ],
    ),
    (
        DOWNWARD.format("mode: 0400"),
        ["8:45: the file 'p' has neither of fieldRef and resourceFieldRef: it has one"],
    ),
    (
        DOWNWARD.format("resourceFieldRef: {resource: limits.cpu}"),
        ["8:73: in a volume, `containerName` says whose resources are meant"],
    ),
    (
        ITEMS.format("{key: index, path: a}, {key: icon, path: ./a/}"),
        ["8:96: volume 'v': two of its files have the path 'a', the first in line 8"],
    ),
    (
        ITEMS.format("{key: index, path: .}"),
        ["8:74: '.' is the volume itself, not a file"],
    ),
    (
        ITEMS.format("{key: indx, path: a}, {key: icon, path: b}"),
        ["8:61: ConfigMap 'page' has no key 'indx' (did you mean 'index'?)"],
    ),
    (
        "  volumes: [{name: v, projected: {sources: [{}, {configMap: {name: pag}}]}}]",
        ["8:45: volume 'v': a projected source is one of configMap, secret and downwardAPI, "
         "not nothing"],
    ),
    (
        "  volumes: [{name: v, projected: {sources: [{configMap: {name: pag}}]}}]",
        ["8:64: there is no ConfigMap 'pag' in the cloud folder (did you mean 'page'?)"],
    ),
    (
        "  volumes: [{name: v, persistentVolumeClaim: {claimName: file}}]",
        [
            "8:58: there is no PersistentVolumeClaim 'file' in the cloud folder "
            "(did you mean 'files'?)"
        ],
    ),
    ("  volumes: [{name: v, persistentVolumeClaim: {claimName: files}}]", []),
    (
        "  volumes: [{name: v, emptyDir: {sizeLimit: 1Gi}}]",
        [
            "8:45: sizeLimit is honoured with `medium: Memory` only: the folder is on the node's "
            "file system, which has no limit for one folder (leave it out, or add "
            "`medium: Memory`)"
        ],
    ),
    (
        "    volumeMounts: [{name: v, mountPath: /v, subPath: x}]\n"
        "  volumes: [{name: v, hostPath: {path: /dev/kvm, type: CharDevice}}]",
        ["8:54: volume 'v' is a device: it has no paths in it (leave subPath out)"],
    ),
    (
        "    volumeMounts: [{name: v, mountPath: /v, subPath: ../x}]\n"
        "  volumes: [{name: v, emptyDir: {}}]",
        [
            "8:54: spec.containers[0].volumeMounts[0].subPath: must be a relative path without "
            "'..' (no ':', no control characters), not \"../x\""
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("added", "expected"), CASES)
def test_problems(tmp_path: Path, added: str, expected: list[str]) -> None:
    write_folder(tmp_path, {"pods/p.yaml": POD + added + "\n", "pods/shared.yaml": SHARED})
    assert problems_of(tmp_path) == [f"pods/p.yaml:{line}" for line in expected]
