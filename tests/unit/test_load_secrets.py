"""Secret manifests and references to Secrets: every problem with its place, nothing decrypted."""

from __future__ import annotations

from pathlib import Path

import pytest

from skerry.load.secrets_file import render_secrets_file
from skerry.model.secrets_file import SecretEntry, SecretsFile
from tests.unit.test_load_problems import POD, problems_of, write_folder
from tests.unit.test_secrets_file import KEY, armored

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
FILE = render_secrets_file(
    SecretsFile(
        recipients=(KEY,), key=armored("k"), secrets={"db-password": SecretEntry(command=("x",))}
    )
)

# What is added after SECRET (so its first line is line 4), and the problems.
CASES: list[tuple[str, list[str]]] = [
    ("stringData: {a: $(db-password)}", []),
    ('stringData: {a: "$$(x) $x ${y} 100$ $(db-password)$(db-password)"}', []),
    ("data: {a: aHVudGVyMg==}\nstringData: {b: hunter2}\nimmutable: true\ntype: Opaque", []),
    ("type: example.com/mine\nstringData: {a: b}", []),
    (
        "stringData: {a: $(db-pasword)}",
        [
            "4:17: the value of 'a': there is no secret 'db-pasword' in secrets.yaml (did you mean "
            "$(db-password)?)"
        ],
    ),
    (
        'stringData: {a: "x$(db-password"}',
        [
            "4:17: the value of 'a' has a `$(` without `)` ($(NAME) is a value of secrets.yaml; "
            "write $$( for the characters $()"
        ],
    ),
    (
        "data: {a: hunter2-}",
        ["4:11: the value of 'a' is not base64 (plain text goes into stringData)"],
    ),
    (
        'stringData: {a: ""}',
        [
            "4:17: the value of 'a' is empty, and Podman keeps no empty secret (leave the key out, "
            "with `optional: true` where it is used)"
        ],
    ),
    (
        "stringData: {'a b': x}",
        [
            "4:14: stringData: the key \"a b\" must be a key of letters, digits, '-', '_' and "
            "'.' that is a good file name (at most 253 characters)"
        ],
    ),
    (
        f"stringData: {{a: {'x' * 512000}}}",
        ["4:17: the value of 'a' is 512000 bytes long: Podman keeps at most 511999"],
    ),
    (
        "type: kubernetes.io/tls\nstringData: {tls.crt: x}",
        ["4:7: a Secret of type kubernetes.io/tls must have the key tls.key"],
    ),
    ("type: kubernetes.io/tls\nstringData: {tls.crt: x, tls.key: $(db-password)}", []),
    (
        "type: kubernetes.io/basic-auth\nstringData: {user: x}",
        ["4:7: a Secret of type kubernetes.io/basic-auth must have the key username or password"],
    ),
    (
        "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: hunter2}",
        [
            "5:33: the value of '.dockerconfigjson' is not a JSON object, as "
            "kubernetes.io/dockerconfigjson wants it"
        ],
    ),
    ("type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{}'}", []),
    (
        "type: kubernetes.io/service-account-token",
        [
            "4:7: a Secret of type kubernetes.io/service-account-token is refused: there are no "
            "service accounts here"
        ],
    ),
    (
        "type: kubernetes.io/ssh",
        [
            "4:7: no Secret type 'kubernetes.io/ssh' (there are Opaque, kubernetes.io/basic-auth, "
            "kubernetes.io/dockercfg, kubernetes.io/dockerconfigjson, kubernetes.io/ssh-auth, "
            "kubernetes.io/tls)"
        ],
    ),
    (
        "stringData: {a: 12345678, b: [hunter2], c: !x hunter2}",
        [
            "4:17: stringData.a: must be text, not what is a number to YAML (quote it)",
            "4:30: stringData.b: must be text, not a list",
            "4:44: stringData.c: the YAML tag !x is not honoured here",
        ],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_secret_manifests(tmp_path: Path, lines: str, expected: list[str]) -> None:
    folder = write_folder(tmp_path, {"pods/s.yaml": f"{SECRET}{lines}\n", "secrets.yaml": FILE})
    found = problems_of(folder)
    assert found == [f"pods/s.yaml:{one}" for one in expected]
    assert not [one for one in found if "hunter2" in one or "12345678" in one]


def test_without_secrets_yaml_a_reference_says_how_to_make_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, {"pods/s.yaml": f"{SECRET}stringData: {{a: $(x)}}\n"})
    assert problems_of(folder) == [
        "pods/s.yaml:4:17: the value of 'a': there is no secrets.yaml, where $(x) would be "
        "(`skerry secret set x`; write $$( for the characters $()"
    ]


# What is added to the container of POD (so its first line is line 8), and the problems.
USES: list[tuple[str, list[str]]] = [
    ("    env: [{name: A, valueFrom: {secretKeyRef: {name: db, key: a}}}]", []),
    (
        "    env: [{name: A, valueFrom: {secretKeyRef: {name: dbb, key: a}}}]",
        ["8:54: there is no Secret 'dbb' in the cloud folder (did you mean 'db'?)"],
    ),
    (
        "    env: [{name: A, valueFrom: {secretKeyRef: {name: db, key: aa}}}]",
        ["8:63: Secret 'db' has no key 'aa' (did you mean 'a'?)"],
    ),
    ("    env: [{name: A, valueFrom: {secretKeyRef: {name: x, key: y, optional: true}}}]", []),
    (
        "    envFrom: [{secretRef: {name: mail}}]",
        ["8:34: there is no Secret 'mail' in the cloud folder (optional: true would leave it out)"],
    ),
    (
        "  volumes: [{name: v, secret: {secretName: db, items: [{key: x, path: y}]}}]",
        ["8:62: Secret 'db' has no key 'x'"],
    ),
    (
        "  volumes: [{name: v, projected: {sources: [{secret: {name: mail}}]}}]",
        ["8:61: there is no Secret 'mail' in the cloud folder (optional: true would leave it out)"],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), USES)
def test_references_to_secrets(tmp_path: Path, lines: str, expected: list[str]) -> None:
    files = {"pods/p.yaml": f"{POD}{lines}\n", "pods/s.yaml": f"{SECRET}stringData: {{a: b}}\n"}
    found = problems_of(write_folder(tmp_path, {**files}))
    assert found == [f"pods/p.yaml:{one}" for one in expected]
