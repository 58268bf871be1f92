"""The operator's own Podman: what its store holds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import CommandFailed


class StoredImage(msgspec.Struct, frozen=True, rename="pascal"):
    """An image of the store, as ``podman image inspect`` shows it.

    `size` is unpacked, in bytes; `user` is "" where its programs run as root.
    """

    id: str
    size: int
    architecture: str = "amd64"
    user: str = ""


def inspect_images(references: Sequence[str]) -> dict[str, StoredImage]:
    """The images that the references mean to Podman; those that are not in the store are left out.

    Short names, tags and ids mean what they mean to ``podman image inspect``. Raises
    `CommandMissing` without Podman and `CommandFailed` when its store cannot be read.
    """
    if not references:
        return {}
    asked = run(_inspect(references), check=False)
    if asked.status == 0:
        found = msgspec.json.decode(asked.stdout, type=list[StoredImage])
        return dict(zip(references, found, strict=True))
    # With one of several missing Podman prints the others without saying which they are.
    answers = {reference: try_inspect(reference) for reference in references}
    return {reference: image for reference, image in answers.items() if image is not None}


def try_inspect(reference: str) -> StoredImage | None:
    """One image of the store, or None where it is not there. Raises as `inspect_images` does."""
    asked = run(_inspect([reference]), check=False)
    if asked.status == 0:
        return msgspec.json.decode(asked.stdout, type=list[StoredImage])[0]
    # inspect has one status for "missing" and for "broken"; exists tells them apart.
    exists = run(Command.of("podman", "image", "exists", reference), check=False)
    if exists.status == 1:
        return None
    raise CommandFailed(
        f"Podman cannot read its image store: {asked.command}",
        detail=(exists.error_text or asked.error_text)[-2000:],
        hint="`podman image ls` should work before Skerry can use its images",
    )


def try_inspect_id(reference: str) -> str | None:
    """The id of an image in the store, or None where it is not there."""
    image = try_inspect(reference)
    return image.id if image is not None else None


def _inspect(references: Sequence[str]) -> Command:
    return Command.of("podman", "image", "inspect", "--", *references)
