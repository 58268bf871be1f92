"""Storage on btrfs: one loop file for all labs of this user, a node is a snapshot in it.

Shared, so that a root is unpacked once and not for each lab. The last lab to go unmounts it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from skerry.edge.run import Command, run
from skerry.lab.places import Places, has_namespace, held
from skerry.lab.root import RootStore
from skerry.lab.storage import Storage

POOL_BYTES = 64 << 30
"""The loop file's nominal size; it is sparse, and takes what its nodes really hold."""


class Pool(Storage):
    """The btrfs loop file."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.file = places.cache / "pool.img"
        self.mount = places.cache / "pool"
        self.lock = places.cache / "pool.lock"
        self.lab = self.mount / "labs" / places.key

    def open(self) -> None:
        with held(self.lock):
            if not self.mount.is_mount():
                self._mount()
            self.lab.mkdir(parents=True, exist_ok=True)

    def _mount(self) -> None:
        self.mount.mkdir(parents=True, exist_ok=True)
        if not self.file.exists():
            unfinished = self.file.with_suffix(".new")
            with unfinished.open("wb") as file:
                file.truncate(POOL_BYTES)
            run(Command.of("mkfs.btrfs", "-q", "-f", unfinished))
            unfinished.rename(self.file)
        device = self._attached() or self._attach()
        # With discard, what a removed node held is given back to the file system below.
        options = "noatime,discard=async"
        try:
            run(Command.of("mount", "-t", "btrfs", "-o", options, device, self.mount))
        except BaseException:
            run(Command.of("losetup", "--detach", device), check=False)
            raise

    def _attached(self) -> str | None:
        """The loop device that has the file: a second one would corrupt the file system."""
        words = run(Command.of("losetup", "-j", self.file)).text.split(":")
        return words[0] or None

    def _attach(self) -> str:
        return run(Command.of("losetup", "--find", "--show", self.file)).text

    def roots(self, say: Callable[[str], None]) -> RootStore:
        return RootStore(
            self.mount / "roots",
            self.places.cache,
            make_folder=_make_subvolume,
            copy=_snapshot,
            remove=self._remove,
            is_used=lambda _: False,  # A snapshot does not need what it was made of.
            say=say,
        )

    def disk(self, node: str) -> Path:
        return self.lab / node

    def disks(self) -> list[str]:
        return [place.name for place in self.lab.iterdir() if place.is_dir()]

    def has_disk(self, node: str) -> bool:
        return self.disk(node).is_dir()

    def make_disk(self, node: str, root: Path, prepare: Callable[[Path], None]) -> None:
        unfinished = self.lab / f".new-{node}"
        self._remove(unfinished)
        _snapshot(root, unfinished)
        prepare(unfinished)
        unfinished.rename(self.disk(node))

    def attach_disk(self, node: str) -> None:
        pass  # A snapshot is there when the pool is.

    def binds(self, node: str) -> list[str]:
        return []

    def remove_disk(self, node: str) -> None:
        self._remove(self.disk(node))

    def close(self) -> None:
        with held(self.lock):
            if not self.file.exists():
                return
            if not self.mount.is_mount():
                self._mount()
            if self.lab.is_dir():
                for place in self.lab.iterdir():
                    # Beside a disk lies systemd-nspawn's lock of it, a plain file.
                    if place.is_file():
                        place.unlink()
                    else:
                        self._remove(place)
                self.lab.rmdir()
            if not self._is_used():
                self._unmount()

    def _remove(self, place: Path) -> None:
        """Removes a subvolume with those inside it; nothing happens if it is not there."""
        if not place.exists():
            return
        # systemd and nested machines make subvolumes of their own in a node.
        below = run(Command.of("btrfs", "subvolume", "list", "-o", place), check=False)
        for line in below.text.splitlines():
            self._remove(self.mount / line.partition(" path ")[2])
        run(Command.of("btrfs", "-q", "subvolume", "delete", place))

    def _is_used(self) -> bool:
        # A lab that is up has its network namespace; what a reboot of the machine left has none.
        labs = self.mount / "labs"
        return any(has_namespace(lab.name) for lab in labs.iterdir())

    def _unmount(self) -> None:
        run(Command.of("umount", self.mount))
        device = self._attached()
        if device is not None:
            run(Command.of("losetup", "--detach", device))


def _make_subvolume(place: Path) -> None:
    run(Command.of("btrfs", "-q", "subvolume", "create", place))


def _snapshot(source: Path, target: Path) -> None:
    run(Command.of("btrfs", "-q", "subvolume", "snapshot", source, target))
