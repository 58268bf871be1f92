"""What was built last, in the cloud folder's cache: so that a build does only what changed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from skerry.edge.paths import make_cache

NAME = "builds.json"


class BuildRecord(msgspec.Struct, frozen=True):
    """An image's last build.

    `files` is the digest of its folder, `bases` that of what it builds on; `built` is in seconds
    since 1970.
    """

    files: str
    bases: str
    id: str
    built: float


def read_records(cache: Path) -> dict[str, BuildRecord]:
    """The last builds by name; none where there is no (good) file, and all is built again."""
    try:
        return msgspec.json.decode((cache / NAME).read_bytes(), type=dict[str, BuildRecord])
    except (OSError, msgspec.DecodeError):
        return {}


def write_record(cache: Path, name: str, record: BuildRecord) -> None:
    """Notes one build beside the others."""
    records = {**read_records(cache), name: record}
    make_cache(cache)
    temporary = cache / f".{NAME}.new"
    temporary.write_bytes(msgspec.json.encode(dict(sorted(records.items()))))
    temporary.replace(cache / NAME)
