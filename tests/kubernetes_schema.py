"""Manifests against the Kubernetes API's own schemas (package kubernetes-validate), strictly."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import yaml
from referencing import Registry, Resource

from skerry.load.unknown import kubernetes_names

FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
# What stands for a part of a manifest that a test fills in; anything is right there.
FILLED_IN = "filled-in-by-the-test"


def text_faults(text: str) -> list[str]:
    """What Kubernetes would refuse in a text of one or more documents."""
    documents = yaml.safe_load_all(text)
    return [fault for one in documents if one is not None for fault in schema_faults(one)]


def schema_faults(document: Any) -> list[str]:
    """What Kubernetes would refuse in a document, a List's items one by one."""
    if not isinstance(document, dict):
        return ["a manifest is a mapping"]
    if document.get("kind") == "List":
        return [fault for item in document.get("items") or [] for fault in schema_faults(item)]
    kind, version = str(document.get("kind")), str(document.get("apiVersion"))
    try:
        validator = _validator(kind, version)
    except FileNotFoundError:
        return [f"Kubernetes has no kind {kind} in {version}"]
    found = validator.iter_errors(document)
    return [_render(kind, error) for error in found if not _is_filled_in(error)]


def _is_filled_in(error: Any) -> bool:
    """Whether what is wrong is what stands for another value."""
    if error.context:
        return all(_is_filled_in(one) for one in error.context)
    return FILLED_IN in str(error.instance) and not isinstance(error.instance, dict)


def _render(kind: str, error: Any) -> str:
    way = ".".join(str(step) for step in error.absolute_path)
    return f"{kind}: {way or 'the object'}: {error.message[:200]}"


@cache
def _validator(kind: str, api_version: str) -> Any:
    folder = FOLDER / f"v{kubernetes_names()['version']}-local-strict"
    group, _, version = api_version.rpartition("/")
    name = "-".join([kind.lower(), *([group.partition(".")[0]] if group else []), version])
    schema = json.loads((folder / f"{name}.json").read_text())
    registry = Resource.from_contents(schema) @ _definitions(folder)
    return jsonschema.Draft202012Validator(schema, registry=registry)


@cache
def _definitions(folder: Path) -> Any:
    content = json.loads((folder / "_definitions.json").read_text())
    return Resource.from_contents(content) @ Registry()
