"""Storage where btrfs is missing: a node is an overlay over the cached root."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from skerry.edge.run import Command, run
from skerry.lab.places import Places
from skerry.lab.root import RootStore
from skerry.lab.storage import Storage


class Overlays(Storage):
    """Folders in the cache; per node the changes, their work folder and the mounted whole."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.folder = places.cache / "overlay"
        self.lab = self.folder / "labs" / places.key

    def open(self) -> None:
        self.lab.mkdir(parents=True, exist_ok=True)

    def roots(self, say: Callable[[str], None]) -> RootStore:
        return RootStore(
            self.folder / "roots",
            self.places.cache,
            make_folder=lambda place: place.mkdir(),
            copy=_copy,
            remove=_remove,
            is_used=self._is_used,
            say=say,
        )

    def disk(self, node: str) -> Path:
        return self.lab / node / "root"

    def disks(self) -> list[str]:
        return [place.name for place in self.lab.iterdir()]

    def has_disk(self, node: str) -> bool:
        return (self.lab / node / "lower").exists()

    def make_disk(self, node: str, root: Path, prepare: Callable[[Path], None]) -> None:
        self.remove_disk(node)
        place = self.lab / node
        for name in ("upper", "work", "root", "containers"):
            (place / name).mkdir(parents=True)
        _mount(root, place)
        (place / "root/var/lib/containers").mkdir(parents=True, exist_ok=True)
        prepare(place / "root")
        # Written last: it says that the disk is whole, and what it lies upon.
        (place / "lower").write_text(str(root))

    def attach_disk(self, node: str) -> None:
        place = self.lab / node
        if not (place / "root").is_mount():
            _mount(Path((place / "lower").read_text()), place)

    def binds(self, node: str) -> list[str]:
        # Podman's own overlays cannot lie upon an overlay.
        return [f"--bind={self.lab / node / 'containers'}:/var/lib/containers"]

    def remove_disk(self, node: str) -> None:
        place = self.lab / node
        if (place / "root").is_mount():
            run(Command.of("umount", place / "root"))
        _remove(place)

    def close(self) -> None:
        if self.lab.is_dir():
            for place in self.lab.iterdir():
                self.remove_disk(place.name)
            self.lab.rmdir()

    def _is_used(self, root: Path) -> bool:
        lowers = (self.folder / "labs").glob("*/*/lower")
        return any(lower.read_text() == str(root) for lower in lowers)


def _mount(root: Path, place: Path) -> None:
    layers = f"lowerdir={root},upperdir={place / 'upper'},workdir={place / 'work'}"
    run(Command.of("mount", "-t", "overlay", "-o", layers, "overlay", place / "root"))


def _copy(source: Path, target: Path) -> None:
    run(Command.of("cp", "-a", "--reflink=auto", source, target))


def _remove(place: Path) -> None:
    if place.exists():
        shutil.rmtree(place)
