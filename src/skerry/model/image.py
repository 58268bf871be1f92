"""``images/NAME/image.yaml``: an image of Debian packages, files and commands."""

from __future__ import annotations

from typing import Annotated

import msgspec

from skerry.model.origin import Located
from skerry.model.words import AbsolutePath, EnvName, Port

DEBIAN = "debian-13"
SCRATCH = "scratch"

# A name becomes a folder of images/ and the image localhost/NAME.
IMAGE_NAME_PATTERN = r"^[a-z0-9]+([._-][a-z0-9]+)*$"

ImageBase = Annotated[
    str,
    msgspec.Meta(
        pattern=IMAGE_NAME_PATTERN,
        description="debian-13, scratch, or the name of another image of the cloud folder",
    ),
]
# Debian Policy 5.6.7.
PackageName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][-a-z0-9+.]+$",
        description="the name of a Debian package: lower-case letters, digits, '-', '+' and '.'",
    ),
]
# What a Containerfile can hold on one line.
LineText = Annotated[
    str,
    msgspec.Meta(pattern=r"^[^\x00\r\n]*$", description="text on one line"),
]
UserName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_.]*(:[A-Za-z0-9_][-A-Za-z0-9_.]*)?$",
        description="a user, or USER:GROUP, by name or number",
    ),
]


class ImageFile(Located, frozen=True, kw_only=True, rename="kebab"):
    """How an image is made: a base, what is added to it, and what a container of it runs.

    `files` are copied to their path in the image (a file, or a folder with all it holds; paths
    are relative to the image's own folder), owned by root, run by the shell where `run` says so,
    in that order. The rest is the image's configuration as OCI has it.
    """

    base: ImageBase
    packages: tuple[PackageName, ...] = ()
    files: dict[AbsolutePath, str] = {}
    run: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[EnvName, LineText] = {}
    user: UserName | None = None
    workdir: AbsolutePath | None = None
    ports: tuple[Port, ...] = ()


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the cloud folder: ``images/NAME`` with a Containerfile, or with `file`.

    `folder` is absolute.
    """

    name: str
    folder: str
    file: ImageFile | None = None

    @property
    def reference(self) -> str:
        """The image's name in the operator's store, without its tag."""
        return f"localhost/{self.name}"
