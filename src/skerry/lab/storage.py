"""Where the nodes' disks lie: what the lab asks of whichever file system this machine has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from skerry.lab.root import RootStore


class Storage(ABC):
    """Where the nodes' disks lie, whichever the file system."""

    @abstractmethod
    def open(self) -> None:
        """Makes the storage usable; nothing happens if it is."""

    @abstractmethod
    def roots(self, say: Callable[[str], None]) -> RootStore:
        """The cached roots."""

    @abstractmethod
    def disk(self, node: str) -> Path:
        """Where the node's root file system is, or would be."""

    @abstractmethod
    def disks(self) -> list[str]:
        """The nodes that have a disk, whole or not."""

    @abstractmethod
    def has_disk(self, node: str) -> bool:
        """Whether the node has a whole disk, usable now."""

    @abstractmethod
    def make_disk(self, node: str, root: Path, prepare: Callable[[Path], None]) -> None:
        """A new disk out of `root`; it appears under its name after `prepare` has written it."""

    @abstractmethod
    def attach_disk(self, node: str) -> None:
        """Makes an existing disk usable after a reboot of this machine."""

    @abstractmethod
    def binds(self, node: str) -> list[str]:
        """systemd-nspawn arguments that the node's disk needs."""

    @abstractmethod
    def remove_disk(self, node: str) -> None:
        """Removes the node's disk; nothing happens if there is none."""

    @abstractmethod
    def close(self) -> None:
        """Removes all of this lab, and the mount if no other lab uses it."""
