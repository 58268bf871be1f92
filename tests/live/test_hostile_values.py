"""Values that mean something to a shell, to systemd or to Podman, read back byte by byte.

Those of arguments, variables and annotations are in `test_pod_runtime`; here are the others that
come near a command or a file: ConfigMaps as files and variables, probes, hooks.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from tests.live.lab_harness import wait_until
from tests.live.pod_node import PodNode
from tests.live.test_pod_runtime import NASTY, random_words

from skerry.lab import Lab

KEYS = [
    "-",
    "--",
    "-x",
    "_",
    "a.service",
    "a..b",
    "A_B",
    "x.conf",
    "0",
    "z" * 253,
    ".hidden",
    "-rf",
]
WORDS = [*NASTY, *random_words()]
# Each word and a zero byte behind it, as in /proc/PID/cmdline.
PRINT = 'printf "%s\\\\0" "$@" >/out/{0}.new; mv /out/{0}.new /out/{0}'

# The name and the content of each file.
LIST = """cd /files
for file in * .[!.]*; do printf '%s\\0' "$file"; cat ./"$file"; printf '\\0'; done"""


@pytest.fixture(scope="module")
def node(new_lab: Callable[..., Lab], tmp_path_factory: pytest.TempPathFactory) -> PodNode:
    """A node with Podman and the test image."""
    lab = new_lab("values")
    lab.up(nodes=1, with_podman=True)
    return PodNode(lab, tmp_path_factory.mktemp("values"))


def test_what_files_probes_and_hooks_are_given(node: PodNode) -> None:
    values = [word for word in WORDS if "\r\n" not in word]
    files = {f"k{number}": word for number, word in enumerate(WORDS)}
    keys = {key: f"<{key}>" for key in KEYS}
    config: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": texts}
        for name, texts in (
            ("files", {**files, **keys}),
            ("variables", {f"C{number}": word for number, word in enumerate(values)}),
        )
    ]

    def command(name: str) -> list[str]:
        return ["sh", "-c", PRINT.format(name).replace("\\\\", "\\"), "sh", *WORDS]

    container = {
        "name": "c",
        "image": "IMAGE",
        "command": ["sh", "-c", "cat /proc/1/environ >/out/env; exec sleep 100000"],
        "envFrom": [{"configMapRef": {"name": "variables"}}],
        "readinessProbe": {"exec": {"command": command("probe")}, "periodSeconds": 1},
        "lifecycle": {
            "postStart": {"exec": {"command": command("started")}},
            "preStop": {"exec": {"command": command("stopping")}},
        },
        "volumeMounts": [
            {"name": "out", "mountPath": "/out"},
            {"name": "files", "mountPath": "/files"},
        ],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "values"},
        "spec": {
            "containers": [container],
            "volumes": [
                {"name": "out", "hostPath": {"path": "/srv/out", "type": "DirectoryOrCreate"}},
                {"name": "files", "configMap": {"name": "files"}},
            ],
        },
    }
    node.start(yaml.safe_dump_all(config), values=yaml.safe_dump(pod))

    def words_of(name: str) -> list[str]:
        wait_until(
            lambda: node.shell(f"test -e /srv/out/{name}", check=False).status == 0, 60, name
        )
        return node.read(f"/srv/out/{name}").decode().split("\0")[:-1]

    assert words_of("started") == WORDS
    assert words_of("probe") == WORDS
    environment = dict(entry.split("=", 1) for entry in words_of("env"))
    assert [environment[f"C{number}"] for number in range(len(values))] == values
    listed = node.shell(f"podman exec skerry-values.0 sh -c {shlex.quote(LIST)}").stdout.split(
        b"\0"
    )
    assert dict(zip(map(bytes.decode, listed[:-1:2]), listed[1::2], strict=True)) == {
        **{name: text.encode() for name, text in files.items()},
        **{name: text.encode() for name, text in keys.items()},
    }
    node.shell("systemctl stop skerry-values.0.service")
    assert words_of("stopping") == WORDS
