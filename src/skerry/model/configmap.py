"""ConfigMap: named texts for pods, as variables or files (Kubernetes core/v1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from skerry.model.metadata import Metadata
from skerry.model.origin import Located

# A key becomes a file's name, so ".", ".." and what begins with ".." are out, as in Kubernetes.
ConfigMapKey = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?!\.$|\.\.)[-._a-zA-Z0-9]+$",
        max_length=253,
        description="a key of letters, digits, '-', '_' and '.' that is a good file name "
        "(at most 253 characters)",
    ),
]


class ConfigMap(Located, frozen=True, kw_only=True, tag_field="kind", tag="ConfigMap"):
    """A Kubernetes ConfigMap. `binary_data` holds base64 text."""

    kind: ClassVar[str] = "ConfigMap"

    api_version: Literal["v1"]
    metadata: Metadata
    data: dict[ConfigMapKey, str] = {}
    binary_data: dict[ConfigMapKey, str] = {}
