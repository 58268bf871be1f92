"""Writes src/skerry/load/kubernetes_fields.json: the fields that Kubernetes has, with their types.

The loader uses them to tell a field that Skerry does not honour from a typing error, and
``docs/kubernetes.md`` is made of them. Source: the JSON schemas of the Kubernetes API in the
package kubernetes-validate (a development dependency).

    python tools/kubernetes_fields.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]

TARGET = Path(__file__).parent.parent / "src/skerry/load/kubernetes_fields.json"
ROOTS = (
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.apps.v1.DaemonSet",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.batch.v1.CronJob",
)
# Not in the schemas: the names that Kubernetes itself gives to resources, and which of them a
# claim has.
RESOURCE_NAMES = ["cpu", "ephemeral-storage", "memory", "pods", "storage"]
RESOURCE_TYPES = {
    "ResourceList": RESOURCE_NAMES,
    "StorageResourceList": ["storage"],
}
AMOUNTS = {
    "ResourceRequirements": "ResourceList",
    "VolumeResourceRequirements": "StorageResourceList",
}


def read_definitions() -> tuple[str, dict[str, Any]]:
    """The newest Kubernetes version in the package, and its types by full name."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    versions = {
        tuple(int(number) for number in match[1].split(".")): path
        for path in folder.iterdir()
        if (match := re.fullmatch(r"v([0-9.]+)-local", path.name))
    }
    newest = max(versions)
    content = json.loads((versions[newest] / "_definitions.json").read_text())
    return ".".join(map(str, newest)), content.get("definitions") or content["$defs"]


def reachable(definitions: dict[str, Any], roots: tuple[str, ...]) -> set[str]:
    """The full names of the roots and of all types that their fields use."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += re.findall(r"\$defs/([\w.-]+)", json.dumps(definitions[name]))
        waiting += re.findall(r"#/definitions/([\w.-]+)", json.dumps(definitions[name]))
    return found


def main() -> None:
    """Writes the file."""
    version, definitions = read_definitions()
    kinds = sorted(
        {
            entry["kind"]
            for definition in definitions.values()
            for entry in definition.get("x-kubernetes-group-version-kind", [])
        }
        or {name.rpartition(".")[2] for name in definitions if _is_kind(definitions[name])}
    )
    types = {
        name.rpartition(".")[2]: read_fields(definitions, name)
        for name in sorted(reachable(definitions, ROOTS))
        if definitions[name].get("properties")
    }
    for requirements, amounts in AMOUNTS.items():
        for field in ("limits", "requests"):
            types[requirements][field] = amounts
    for name, resources in RESOURCE_TYPES.items():
        types[name] = dict.fromkeys(resources, "")
    lines = [f'"version": {json.dumps(version)}', f'"kinds": {json.dumps(kinds)}']
    body = ",\n".join(f"{json.dumps(name)}: {json.dumps(types[name])}" for name in sorted(types))
    TARGET.write_text("{" + ",\n".join(lines) + ',\n"types": {\n' + body + "\n}}\n")
    print(f"{TARGET}: Kubernetes {version}, {len(types)} types, {len(kinds)} kinds")


def read_fields(definitions: dict[str, Any], name: str) -> dict[str, str]:
    """The fields of a type, each with its type or that of its items ("" for plain ones)."""
    fields = {}
    for field, schema in sorted(definitions[name]["properties"].items()):
        found = re.findall(r"(?:\$defs|#/definitions)/([\w.-]+)", json.dumps(schema))
        types = [one for one in found if definitions[one].get("properties")]
        fields[field] = types[0].rpartition(".")[2] if types else ""
    return fields


def _is_kind(definition: dict[str, Any]) -> bool:
    fields = definition.get("properties", {})
    return "kind" in fields and "apiVersion" in fields and "metadata" in fields


if __name__ == "__main__":
    main()
