"""The images of a cloud folder beside what the operator's store has of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from skerry.images.context import read_sources_digest
from skerry.images.podman import inspect_images
from skerry.images.record import read_records
from skerry.model.image import ImageSource


class ListedImage(msgspec.Struct, frozen=True, kw_only=True):
    """One image of the folder. `id` is "" and `size` 0 where the store has none of that name.

    `size` is unpacked, in bytes; `built` is in seconds since 1970, 0 where it was not built here.
    """

    name: str
    reference: str
    recipe: str
    id: str
    size: int
    built: float
    state: Literal["ready", "changed", "foreign", "not built"]


def list_sources(sources: dict[str, ImageSource], *, cache: Path) -> list[ListedImage]:
    """The images by name. Raises `CommandMissing` without Podman."""
    stored = inspect_images([source.reference for source in sources.values()])
    records = read_records(cache)
    listed = []
    for name, source in sorted(sources.items()):
        image, record = stored.get(source.reference), records.get(name)
        state: Literal["ready", "changed", "foreign", "not built"] = "ready"
        if image is None:
            state = "not built"
        elif record is None or record.id != image.id:
            state = "foreign"
        elif record.files != read_sources_digest(Path(source.folder)):
            state = "changed"
        listed.append(
            ListedImage(
                name=name,
                reference=source.reference,
                recipe="image.yaml" if source.file is not None else "Containerfile",
                id=image.id if image is not None else "",
                size=image.size if image is not None else 0,
                built=record.built if image is not None and record is not None else 0.0,
                state=state,
            )
        )
    return listed
