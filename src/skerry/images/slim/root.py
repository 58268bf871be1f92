"""A root file system that is looked into without ever leaving it: a folder of this machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

import msgspec

FILE, FOLDER, LINK, OTHER = "file", "folder", "link", "other"


class Node(msgspec.Struct, frozen=True):
    """What lies at a path: its kind, and of a symbolic link the text that it leads to."""

    kind: str
    target: str = ""
    is_program: bool = False


class Root(Protocol):
    """A root file system. Paths are absolute within it and hold neither links nor ``..``."""

    def try_look(self, path: str) -> Node | None:
        """What lies there; None where nothing does."""

    def read(self, path: str, most: int = -1) -> bytes:
        """The content of a file, up to `most` bytes."""

    def names(self, path: str) -> list[str]:
        """The names in a folder, sorted."""


class DiskRoot:
    """The root file system in a folder of this machine; ``/`` is the machine's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, path: str) -> Path:
        """Where a path of the root lies on this machine."""
        return self.folder / path.lstrip("/")

    def try_look(self, path: str) -> Node | None:
        place = self.place(path)
        try:
            mode = place.lstat().st_mode
        except (OSError, ValueError):
            return None
        if stat.S_ISLNK(mode):
            return Node(LINK, os.readlink(place))  # noqa: PTH115 (as written)
        if stat.S_ISDIR(mode):
            return Node(FOLDER)
        if stat.S_ISREG(mode):
            return Node(FILE, is_program=bool(mode & 0o111))
        return Node(OTHER)

    def read(self, path: str, most: int = -1) -> bytes:
        try:
            with self.place(path).open("rb") as file:
                return file.read(most)
        except OSError:
            # Not ours to read: then it cannot be kept either, and whoever copies it says so.
            return b""

    def names(self, path: str) -> list[str]:
        try:
            return sorted(one.name for one in self.place(path).iterdir())
        except OSError:
            return []
