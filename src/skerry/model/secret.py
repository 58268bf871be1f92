"""Secret: named values that only those who need them may read (Kubernetes core/v1)."""

from __future__ import annotations

from typing import ClassVar, Literal

from skerry.model.configmap import ConfigMapKey
from skerry.model.metadata import Metadata
from skerry.model.origin import Located


class Secret(Located, frozen=True, kw_only=True, tag_field="kind", tag="Secret"):
    """A Kubernetes Secret. `data` holds base64 text; `string_data` plain text.

    In `string_data`, ``$(NAME)`` is the value NAME of ``secrets.yaml``.
    """

    kind: ClassVar[str] = "Secret"

    api_version: Literal["v1"]
    metadata: Metadata
    data: dict[ConfigMapKey, str] = {}
    string_data: dict[ConfigMapKey, str] = {}
    type: str = "Opaque"
    immutable: bool = False

    def __repr__(self) -> str:
        return f"Secret({self.metadata.name!r})"
