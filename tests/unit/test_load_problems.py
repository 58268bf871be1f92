"""Every problem of a manifest: its place and its words, pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.errors import CloudInvalid
from skerry.load.cloud import load_cloud
from skerry.load.reading import join_words
from skerry.load.unknown import HONOURED_KINDS

CLOUD = "name: home\nnodes:\n  alpha: {ssh: root@alpha}\n"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: localhost/web
"""


def write_folder(folder: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in {"cloud.yaml": CLOUD, **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else content.encode()
        (folder / path).write_bytes(raw)
    return folder


def problems_of(folder: Path) -> list[str]:
    try:
        load_cloud(folder)
    except CloudInvalid as error:
        return [str(problem) for problem in error.problems]
    return []


def test_template_is_valid(tmp_path: Path) -> None:
    assert problems_of(write_folder(tmp_path, {"pods/p.yaml": POD})) == []


# What is added after POD (so its first line is line 8), and the problems.
CONTAINER_CASES: list[tuple[str, list[str]]] = [
    (
        "    resizePolicy: []",
        [
            "8:5: spec.containers[0].resizePolicy: refused: changed resources take effect with a "
            "restart, always (leave it out)"
        ],
    ),
    (
        "    imagePullPolicy: Always",
        [
            "8:22: spec.containers[0].imagePullPolicy: Always is refused: a node pulls nothing: "
            "each apply sends the image that has this name on your machine (write IfNotPresent; "
            "`podman pull` or `skerry image build` brings a newer one)"
        ],
    ),
    (
        "    stdinOnse: {}",
        [
            "8:5: spec.containers[0]: no field `stdinOnse` here (did you mean "
            "`stdinOnce`? It is refused: no terminal is attached to a unit of systemd)"
        ],
    ),
    (
        "    volumeMount: []",
        ["8:5: spec.containers[0]: no field `volumeMount` here (did you mean `volumeMounts`?)"],
    ),
    (
        "    env: [{name: A, value: 8080}]",
        [
            "8:28: spec.containers[0].env[0].value: must be text, not 8080, "
            'which is a number to YAML (quote it: "8080")'
        ],
    ),
    (
        "    env: [{name: A, value: on}]",
        [
            "8:28: spec.containers[0].env[0].value: must be text, not on, "
            'which is true or false to YAML (quote it: "on")'
        ],
    ),
    (
        "    env: [{name: A, value: 1.10}]",
        [
            "8:28: spec.containers[0].env[0].value: must be text, not 1.10, "
            'which is a number to YAML (quote it: "1.10")'
        ],
    ),
    (
        "    args: [a, , ~]",
        ["8:15: is not YAML: did not find expected node content"],
    ),
    (
        "    args: [a, ~]",
        [
            "8:15: spec.containers[0].args[1]: must be text, not nothing "
            '(write "" for an empty text)'
        ],
    ),
    ("    args: abc", ['8:11: spec.containers[0].args: must be a list, not "abc"']),
    ("    args: {a: b}", ["8:11: spec.containers[0].args: must be a list, not a mapping"]),
    (
        '    args: ["a\\0b"]',
        ["8:12: spec.containers[0].args[0]: must not hold the character NUL (\\0)"],
    ),
    (
        "    args: [!!binary aGk=]",
        ["8:12: spec.containers[0].args[0]: the YAML tag !!binary is not honoured here"],
    ),
    (
        "    env: [{name: 1A, value: x}]",
        [
            "8:18: spec.containers[0].env[0].name: must be a variable's name: letters, digits, "
            "'-', '_' and '.', no digit first, not \"1A\""
        ],
    ),
    (
        "    env: [{name: A, value: a, valueFrom: {configMapKeyRef: {name: c, key: k}}}]",
        [
            "8:42: the variable 'A' has both `value` and `valueFrom` (leave one of them out)",
        ],
    ),
    (
        "    env: [{name: A}, {name: B}, {name: A}]",
        ["8:40: two variables have the name 'A', the first in line 8"],
    ),
    (
        "    env: [{name: A, valueFrom: {fileKeyRef: {path: a, key: b}}}]",
        [
            "8:33: spec.containers[0].env[0].valueFrom.fileKeyRef: refused: a variable is known "
            "when the container starts; a file that another container writes is not (read the "
            "file in the container's command)",
        ],
    ),
    (
        '    ports: [{containerPort: "80"}]',
        [
            "8:29: spec.containers[0].ports[0].containerPort: must be a whole number from 1 to "
            '65535, not "80" (write it without quotes)'
        ],
    ),
    (
        "    ports: [{containerPort: 70000}]",
        [
            "8:29: spec.containers[0].ports[0].containerPort: must be a whole number from 1 to "
            "65535, not 70000"
        ],
    ),
    (
        "    ports: [{containerPort: 80, protocol: tcp}]",
        ['8:43: spec.containers[0].ports[0].protocol: must be TCP or UDP, not "tcp"'],
    ),
    (
        "    ports: [{containerPort: 80, hostIP: 1.2.3.999}]",
        ["8:41: '1.2.3.999' is not an IP address"],
    ),
    (
        "    ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]",
        ["8:75: the node's port 9/TCP is taken twice, first in line 8"],
    ),
    (
        "    ports: [{containerPort: 1, hostPort: 9, hostIP: 10.0.0.1}, "
        "{containerPort: 2, hostPort: 9, hostIP: 10.0.0.2}, {containerPort: 3, hostPort: 9}, "
        "{containerPort: 4, hostPort: 9, protocol: UDP}]",
        ["8:144: the node's port 9/TCP is taken twice, first in line 8"],
    ),
    (
        "    ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]",
        ["8:67: two ports have the name 'a', the first in line 8"],
    ),
    (
        "    ports: [{containerPort: 1, hostPort: 2}]\n  hostNetwork: true",
        [
            "8:42: with hostNetwork, hostPort (2) and containerPort (1) are the same port "
            "(leave hostPort out)"
        ],
    ),
    (
        "    resources: {limits: {memory: 64mb}}",
        [
            "8:34: spec.containers[0].resources.limits.memory: must be a quantity such as 64Mi, "
            '1.5Gi, 0.5 or 250m, not "64mb"'
        ],
    ),
    (
        "    resources: {limits: {memory: 512m}}",
        ["8:34: 512m of memory is 1 bytes: too little for anything (did you mean 512Mi?)"],
    ),
    (
        "    resources: {limits: {cpu: -1}}",
        [
            "8:31: spec.containers[0].resources.limits.cpu: must be a quantity such as 64Mi, "
            "1.5Gi, 0.5 or 250m, not -1"
        ],
    ),
    (
        "    resources: {limits: {cpu: .inf}}",
        [
            "8:31: spec.containers[0].resources.limits.cpu: must be a quantity such as 64Mi, "
            "1.5Gi, 0.5 or 250m, not .inf"
        ],
    ),
    (
        "    resources: {limits: {ephemeral-storage: 1Gi}}",
        [
            "8:26: spec.containers[0].resources.limits.ephemeral-storage: refused: nothing "
            "measures what a container writes to its own layer (use an emptyDir with a "
            "`sizeLimit` and the medium Memory)"
        ],
    ),
    (
        "    volumeMounts: [{name: htm, mountPath: /a}]\n  volumes: [{name: html, emptyDir: {}}]",
        [
            "8:27: container 'web' mounts 'htm', which is not among the pod's volumes "
            "(did you mean 'html'?)"
        ],
    ),
    (
        "    volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a/}]\n"
        "  volumes: [{name: v, emptyDir: {}}]",
        ["8:67: container 'web' mounts two volumes at /a, the first in line 8"],
    ),
    (
        "    volumeMounts: [{name: v, mountPath: a}]\n  volumes: [{name: v, emptyDir: {}}]",
        [
            "8:41: spec.containers[0].volumeMounts[0].mountPath: must be an absolute path, one "
            "that begins with '/' (no ':', no control characters), not \"a\""
        ],
    ),
    (
        "  volumes: [{name: v, emptyDir: {}, hostPath: {path: /a}}]",
        ["8:47: volume 'v' has more than one source: emptyDir and hostPath"],
    ),
    (
        "  volumes: [{name: v, emptyDir: }]",
        [
            "8:13: volume 'v' has no source "
            "(give one of configMap, secret, emptyDir: {}, hostPath and persistentVolumeClaim)"
        ],
    ),
    (
        "  volumes: [{name: v, hostPath: {path: /a/../b}}]",
        ["8:40: a host path has no '..' in it"],
    ),
    (
        "  volumes: [{name: v, emptyDir: {}}, {name: v, emptyDir: {}}]",
        ["8:45: two volumes have the name 'v', the first in line 8"],
    ),
    (
        "  volumes: [{name: v, configMap: {name: gone}}]",
        ["8:41: there is no ConfigMap 'gone' in the cloud folder"],
    ),
    (
        "  volumes: [{name: v, nfs: {server: a, path: /b}}]",
        [
            "8:23: spec.volumes[0].nfs: refused: Skerry mounts no file systems over the network "
            "(mount it on the node and use a hostPath of the type Directory)"
        ],
    ),
    (
        "  - {name: web, image: x}",
        ["8:12: two containers have the name 'web', the first in line 6"],
    ),
    ("  - {image: x}", ["8:5: spec.containers[1]: the field `name` must be given"]),
    ("  - {}", ["8:5: spec.containers[1]: the fields `name` and `image` must be given"]),
    ("  - x", ['8:5: spec.containers[1]: must be a mapping of fields, not "x"']),
    (
        "  hostNetwork: 1",
        ["8:16: spec.hostNetwork: must be true or false, not 1"],
    ),
    (
        "  restartPolicy: always",
        ['8:18: spec.restartPolicy: must be Always, Never or OnFailure, not "always"'],
    ),
    (
        "  automountServiceAccountToken: true\n  enableServiceLinks: true",
        [
            "8:33: automountServiceAccountToken: true is refused: there is no API server, so "
            "there are no accounts and no tokens for pods (write false, or leave it out)",
            "9:23: enableServiceLinks: true is refused: containers get no variables for Services "
            "(write false, or leave it out)",
        ],
    ),
    (
        "status: {}",
        [
            "8:1: status: refused: it is written by the API server, never in a manifest; `skerry "
            "status` shows what runs (leave it out: `kubectl get -o yaml` writes it, a manifest "
            "has no need of it)"
        ],
    ),
    ("spec: {}", ["8:1: `spec` is given twice, first in line 4"]),
    ("\tspec: {}", ["8:1: is not YAML: a tab stands where YAML wants spaces (indent with spaces)"]),
    (
        "---\nkind: Ingress",
        [
            "9:7: kind Ingress is refused: there is no ingress yet (publish a `hostPort`, with a "
            "web server of your own on it)"
        ],
    ),
    ("---\nkind: Pood", ["9:7: no kind 'Pood' (did you mean Pod?)"]),
    ("---\nkind: Zzz", [f"9:7: no kind 'Zzz' (honoured are {join_words(HONOURED_KINDS, 'and')})"]),
    (
        "---\nkind: List",
        [
            "9:1: a List has `items`, a list of manifests",
            "9:1: the apiVersion of a List is v1",
        ],
    ),
    ("---\n- a", ["9:1: a manifest must be a mapping with `apiVersion` and `kind`"]),
    (
        "---\napiVersion: v1",
        [f"9:1: the field `kind` must be given (one of {', '.join(HONOURED_KINDS)})"],
    ),
    (
        "---\napiVersion: apps/v2\nkind: ConfigMap\nmetadata: {name: c}",
        ['9:13: apiVersion: must be v1, not "apps/v2"'],
    ),
    ("---\n# nothing\n---\n", []),
    ("    livenessProbe: null\n    resources: {}\n    env: ~\n", []),
    (
        "    env: [{name: A, value: 22:22}, {name: B, value: 2020-01-01}, {name: C, value: 1.2.3}]",
        [],
    ),
    ("    env: [{name: A, value: !!str 8080}, {name: B}, {name: C, value: ~}]", []),
]


@pytest.mark.parametrize(("added", "expected"), CONTAINER_CASES)
def test_pod_problems(tmp_path: Path, added: str, expected: list[str]) -> None:
    write_folder(tmp_path, {"pods/p.yaml": POD + added + "\n"})
    assert problems_of(tmp_path) == [f"pods/p.yaml:{line}" for line in expected]


MANIFEST_CASES: list[tuple[str, list[str]]] = [
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: prod}",
        [
            "3:32: there are no namespaces here: 'prod' must be left out "
            "(a cloud of its own is what a namespace would be)"
        ],
    ),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {..: x, 8: y, n: 1, e: }",
        [
            "4:8: data: the key \"..\" must be a key of letters, digits, '-', '_' and '.' "
            "that is a good file name (at most 253 characters)",
            '4:15: data: the key `8` is a number to YAML, and must be text (quote it: "8")',
            '4:24: data.n: must be text, not 1, which is a number to YAML (quote it: "1")',
            '4:30: data.e: must be text, not nothing (write "" for an empty text)',
        ],
    ),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
        "data: {a: x}\nbinaryData: {a: aGk=, b: '%'}",
        [
            "5:17: the key 'a' is in `data` too",
            "5:26: the value of 'b' is not base64",
        ],
    ),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Big_Name, labels: {app: yes}}",
        [
            "3:18: metadata.name: must be a name of lower-case letters, digits, '-' and '.' "
            '(at most 253 characters), not "Big_Name"',
            "3:42: metadata.labels.app: must be a label's value: letters, digits, '-', '_' and "
            "'.' (at most 63 characters), not yes, which is true or false to YAML "
            '(quote it: "yes")',
        ],
    ),
    (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n"
        "  selector: {matchLabels: {app: a, tier: b}}\n  template:\n"
        "    metadata: {labels: {app: x}}\n    spec:\n      restartPolicy: Never\n"
        "      containers: [{name: a, image: b}]",
        [
            "5:33: the selector wants app: a, but the pod template has app: x",
            "5:42: the selector wants tier: b, but the pod template has no label 'tier'",
            "9:22: the pods of a Deployment have restartPolicy Always, not Never",
        ],
    ),
    (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n"
        "  paused: true\n  selector: {matchLabels: {}}\n  template:\n"
        "    spec:\n      containers: []",
        [
            "5:3: spec.paused: refused: nothing happens between your commands: not to apply is "
            "to pause (leave it out)",
            "9:19: spec.template.spec.containers: must have at least 1 item",
        ],
    ),
    (
        "a: &a [*b]",
        ["1:8: is not YAML: this alias names no anchor (an anchor (&name) comes before its alias)"],
    ),
    ("[" * 200, ["1:100: is nested more than 100 levels deep"]),
    (
        "{a: 1",
        [
            "2:1: is not YAML: did not find expected ',' or '}' "
            "(while parsing a flow mapping that begins in line 1)"
        ],
    ),
    ("a: \x01", ["1:4: is not YAML: control characters are not allowed"]),
]


@pytest.mark.parametrize(("text", "expected"), MANIFEST_CASES)
def test_manifest_problems(tmp_path: Path, text: str, expected: list[str]) -> None:
    write_folder(tmp_path, {"pods/p.yaml": text + "\n"})
    assert problems_of(tmp_path) == [f"pods/p.yaml:{line}" for line in expected]


def test_wrong_encoding(tmp_path: Path) -> None:
    write_folder(tmp_path, {"pods/p.yaml": b"# caf\xc3\xa9\na: \xe9\n"})
    assert problems_of(tmp_path) == [
        "pods/p.yaml:2:4: is not UTF-8 text (byte 0xe9) (save the file as UTF-8)"
    ]


def test_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    write_folder(
        tmp_path,
        {"pods/p.yaml": b"\xef\xbb\xbf" + POD.replace("\n", "\r\n").encode() + b"x: 1\r\n"},
    )
    assert problems_of(tmp_path)[0].startswith("pods/p.yaml:8:1: no field `x` here")


def test_a_claim_for_one_pod_has_one(tmp_path: Path) -> None:
    claim = (
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec:\n"
        "  accessModes: [ReadWriteOncePod]\n  resources: {requests: {storage: 1Gi}}\n---\n"
    )
    pod = claim + POD + "  volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]\n"
    cloud = "name: x\nnodes: {alpha: {ssh: a}}\nrun:\n  web: {pod: pods/p.yaml}\n"
    write_folder(tmp_path, {"cloud.yaml": cloud, "pods/p.yaml": pod})
    assert problems_of(tmp_path) == []
    more = "  again: {pod: pods/p.yaml, replicas: 2}\n"
    write_folder(tmp_path, {"cloud.yaml": cloud + more})
    assert problems_of(tmp_path) == [
        "pods/p.yaml:5:16: the claim 'c' is for one pod (ReadWriteOncePod), and 3 would use it: "
        "1 of 'web', 2 of 'again' (ReadWriteOnce is for the pods of one node)"
    ]
