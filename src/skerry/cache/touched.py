"""Which nodes an edit of a cloud folder concerns, as far as that can be told at a glance.

What is told here is a guess, by which node programs are begun early: whoever takes one over has
loaded the folder and asks what it is about then.
"""

from __future__ import annotations

from skerry.cache.inputs import try_digest_file

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any


def record_files(
    folder: str, files: Mapping[str, Collection[int]], key: bytes
) -> dict[str, list[Any]]:
    """What `find_touched` needs, for JSON: of each file its digest and the numbers of the nodes
    that run what is in it. One that cannot be read is left out."""
    digests = {name: try_digest_file(folder, name, key) for name in files}
    return {
        name: [digest, sorted(files[name])]
        for name, digest in digests.items()
        if digest is not None
    }


def find_touched(folder: str, recorded: dict[str, list[Any]], key: bytes) -> set[int]:
    """The numbers of the nodes that run what is in a file that has another content now."""
    return {
        number
        for name, (digest, numbers) in recorded.items()
        if try_digest_file(folder, name, key) != digest
        for number in numbers
    }
