"""JSON Schemas of the files of a cloud folder, from the model's own declarations.

JSON Schema draft 2020-12, as editors use it (yaml-language-server).
"""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from skerry.model.cloud import CloudFile
from skerry.model.kinds import KINDS
from skerry.model.secrets_file import SecretsFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What a schema can be asked for: the types of a document in such a file.
SCHEMAS: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "cloud": (CloudFile,),
    "secrets": (SecretsFile,),
    "manifest": tuple(KINDS.values()),
    **{name: (kind,) for name, kind in KINDS.items()},
}


def json_schema(name: str) -> dict[str, Any]:
    """The schema of one of `SCHEMAS` as JSON builtins."""
    kinds = SCHEMAS[name]
    references, definitions = msgspec.json.schema_components(
        list(kinds), ref_template="#/$defs/{name}"
    )
    definitions.pop("Origin", None)
    for definition in definitions.values():
        _close(definition)
    if name == "cloud":
        # Keys that begin with x- hold YAML anchors and mean nothing.
        for definition in definitions.values():
            definition["patternProperties"] = {"^x-": {}}
    root = references[0] if len(references) == 1 else {"oneOf": list(references)}
    return {"$schema": DIALECT, "title": f"Skerry: {name}", **root, "$defs": definitions}


def _close(definition: dict[str, Any]) -> None:
    """Takes out what is not for files, and makes unknown fields errors."""
    definition["properties"].pop("origin", None)
    definition["additionalProperties"] = False
    definition["description"] = cleandoc(definition.get("description", ""))
