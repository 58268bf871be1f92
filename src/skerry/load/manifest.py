"""The manifests of a cloud folder: Kubernetes documents of the kinds that Skerry honours."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

from skerry.errors import Problem
from skerry.load.checks.manifest import check_manifest
from skerry.load.decode import decode
from skerry.load.document import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    parse_documents,
    read_text,
)
from skerry.load.reading import Reading
from skerry.load.unknown import HONOURED_KINDS, explain_kind
from skerry.model.claim import PersistentVolumeClaim
from skerry.model.cloud import WorkloadManifest
from skerry.model.configmap import ConfigMap
from skerry.model.kinds import KINDS, WORKLOAD_KINDS, Shared
from skerry.model.secret import Secret
from skerry.model.service import Service

assert tuple(KINDS) == HONOURED_KINDS

# Of all files together; who made so many has made one mistake, many times.
MOST_PROBLEMS = 2000

SharedKind = TypeVar("SharedKind", bound=Shared)


class Manifests:
    """What the manifest files of one cloud folder hold.

    `workloads` are by file, all others by name; `broken` names what was left out because of
    problems, as (kind, name), with the name "" where it is not known: later checks do not call
    these missing.
    """

    def __init__(self, folder: Path, problems: list[Problem]) -> None:
        self.folder = folder
        self.problems = problems
        self.workloads: dict[str, list[WorkloadManifest]] = {}
        self.config_maps: dict[str, ConfigMap] = {}
        self.secrets: dict[str, Secret] = {}
        self.claims: dict[str, PersistentVolumeClaim] = {}
        self.services: dict[str, Service] = {}
        self.broken: set[tuple[str, str]] = set()
        self.broken_files: set[str] = set()

    def read(self, file: str) -> None:
        """Reads one file (a path relative to the cloud folder) if it was not read before."""
        if file in self.workloads:
            return
        self.workloads[file] = []
        before = len(self.problems)
        text = read_text(self.folder / file, file, self.problems)
        roots = parse_documents(text, file, self.problems) if text is not None else []
        if len(self.problems) > before:
            self.broken.add(("", ""))
            self.broken_files.add(file)
        for root in roots:
            for item in self._items(file, root):
                if len(self.problems) > MOST_PROBLEMS:
                    self.broken.add(("", ""))
                    self.broken_files.add(file)
                    return
                self._read_document(file, item)

    def _items(self, file: str, root: Node) -> list[Node]:
        """The document itself, or what a List holds (``kubectl get -o yaml`` writes them)."""
        if root.__class__ is not MappingNode:
            return [root]
        fields = {key.value: value for key, value in root.value if key.__class__ is ScalarNode}
        kind = fields.get("kind")
        if kind is None or kind.value != "List":
            return [root]
        reading, items = Reading(file, self.problems), fields.get("items")
        strange = (
            key
            for key, _ in root.value
            if key.value not in ("apiVersion", "kind", "items", "metadata")
        )
        for key in islice(strange, 10):
            reading.problem(key, None, f"no field `{key.value}` in a List")
        if fields.get("apiVersion") is None or fields["apiVersion"].value != "v1":
            reading.problem(root, None, "the apiVersion of a List is v1")
        if items is None or items.__class__ is not SequenceNode:
            reading.problem(items or root, None, "a List has `items`, a list of manifests")
            return []
        return list(items.value)

    def _read_document(self, file: str, root: Node) -> None:
        found: list[Problem] = []
        reading = Reading(file, found)
        kind = _kind_of(root, reading)
        if kind == "Secret":
            reading.secret_fields = ("data", "stringData")
        manifest = decode(root, KINDS[kind], reading) if kind is not None else None
        if manifest is not None and not found:
            found += check_manifest(manifest)
        if found or manifest is None:
            self.problems += found
            self.broken.add((kind or "", _written_name(root)))
            if kind is None or kind in WORKLOAD_KINDS:
                self.broken_files.add(file)
        elif isinstance(manifest, ConfigMap):
            self._add_shared(manifest, self.config_maps)
        elif isinstance(manifest, Secret):
            self._add_shared(manifest, self.secrets)
        elif isinstance(manifest, PersistentVolumeClaim):
            self._add_shared(manifest, self.claims)
        elif isinstance(manifest, Service):
            self._add_shared(manifest, self.services)
        else:
            self._add_workload(file, manifest)

    def _add_shared(self, manifest: SharedKind, there: dict[str, SharedKind]) -> None:
        name = manifest.metadata.name
        if name in there:
            first = there[name].origin
            self.problems.append(
                manifest.metadata.origin.of("name").problem(
                    f"{manifest.kind} {name!r} is there twice, first at {first.file}:{first.line}"
                )
            )
            return
        there[name] = manifest

    def _add_workload(self, file: str, manifest: WorkloadManifest) -> None:
        for other in self.workloads[file]:
            if other.metadata.name == manifest.metadata.name:
                self.problems.append(
                    manifest.metadata.origin.of("name").problem(
                        f"{manifest.metadata.name!r} is there twice in this file, "
                        f"first in line {other.origin.line}"
                    )
                )
        self.workloads[file].append(manifest)

    def is_broken(self, kind: str, name: str) -> bool:
        """Whether such a thing may be there, in a document or file that has problems."""
        return bool(self.broken & {(kind, name), (kind, ""), ("", name), ("", "")})


def list_manifest_files(folder: Path) -> list[str]:
    """All ``*.yaml`` and ``*.yml`` under ``pods/``, relative to the folder, sorted."""
    found: list[str] = []
    if path_fault(folder, "pods"):
        # A link that leads elsewhere may lead to all of the disk: reading it says what is wrong.
        return ["pods"]
    for parent, folders, files in os.walk(folder / "pods"):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        found += [
            str(relative / name)
            for name in files
            if name.endswith((".yaml", ".yml")) and not name.startswith(".")
        ]
    return sorted(found)


def path_fault(folder: Path, file: str) -> str:
    """Why `file` is no good path of a manifest in the cloud folder, or "" where it is one."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or file.startswith("~"):
        return "a manifest's path stays within the cloud folder: no '..', no '/' or '~' first"
    try:
        real = os.path.realpath(folder / path)
    except (OSError, ValueError):
        return "is not a path"
    inside = os.path.realpath(folder)
    if real != inside and not real.startswith(inside.rstrip("/") + "/"):
        return "leads out of the cloud folder through a symbolic link"
    return ""


def _kind_of(root: Node, reading: Reading) -> str | None:
    """The kind of a document, or None after a problem was noted."""
    if root.__class__ is not MappingNode:
        reading.problem(root, None, "a manifest must be a mapping with `apiVersion` and `kind`")
        return None
    for key, value in root.value:
        if key.value == "kind" and value.__class__ is ScalarNode:
            if value.value in KINDS:
                return str(value.value)
            message, hint = explain_kind(value.value)
            reading.problem(value, None, message, hint=hint)
            return None
    reading.problem(
        root, None, "the field `kind` must be given", hint=f"one of {', '.join(HONOURED_KINDS)}"
    )
    return None


def _written_name(root: Node) -> str:
    """The ``metadata.name`` of a document that may be wrong everywhere, or ""."""
    for wanted in ("metadata", "name"):
        if root.__class__ is not MappingNode:
            return ""
        values = [value for key, value in root.value if key.value == wanted]
        if not values:
            return ""
        root = values[0]
    return root.value if root.__class__ is ScalarNode else ""
