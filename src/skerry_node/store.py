"""What Skerry keeps on a node: blobs, generations, and which of them is active.

blobs/sha256/HEX                content of files, by digest
generations/N/manifest.json     the whole tree of generation N
generations/N/generation.json   who, when, why, how it ended; what was made or put aside for it
generations/N/switch.json       what the switch to it has to do
current -> generations/N        the active generation
"""

from __future__ import annotations

import os

from skerry_node.basics import digest_of, dump
from skerry_node.durable import (
    make_folder,
    sync_folder,
    temporary_of,
    try_read_json,
    write_durable,
    write_json,
)
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set

    from skerry_node.host import Host
    from skerry_node.wire import Generation, Manifest

# The state that a generation's record names: pending until its switch has ended. Whether an
# active one is the active one or a previous one is told by `current` alone.
PENDING = "pending"
ACTIVE = "active"
PREVIOUS = "previous"
FAILED = "failed"
UNCONFIRMED = "unconfirmed"


class Store:
    """Reads and writes the state folder of a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.blobs = host.state_path("blobs", "sha256")
        self.generations = host.state_path("generations")
        self.current = host.state_path("current")

    def make_folders(self) -> None:
        """Makes the folders, for root alone."""
        make_folder(self.blobs)
        make_folder(self.generations)

    def blob_path(self, digest: str) -> str:
        """Where the blob of a digest lies. Raises NodeFault for what is no digest."""
        name = digest[len("sha256:") :]
        if not digest.startswith("sha256:") or len(name) != 64 or not name.isalnum():
            raise NodeFault("bad-request", "%r is not a digest" % digest)
        return os.path.join(self.blobs, name)

    def has_blob(self, digest: str) -> bool:
        """Whether the content of a digest is here."""
        return os.path.exists(self.blob_path(digest))

    def read_blob(self, digest: str) -> bytes:
        """The content of a digest. Raises NodeFault if it is not here or not what it was."""
        try:
            with open(self.blob_path(digest), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            raise NodeFault(
                "blob-missing",
                "the content %s is not on the node" % digest[:19],
                hint="run the command again: it is sent then",
            ) from None
        if digest_of(content) != digest:
            os.unlink(self.blob_path(digest))
            raise NodeFault(
                "state-damaged",
                "the stored content %s was damaged and is removed" % digest[:19],
                hint="run the command again: it is sent then; the disk may be failing",
            )
        return content

    def write_blob(self, content: bytes) -> str:
        """Stores content and returns its digest."""
        digest = digest_of(content)
        if not self.has_blob(digest):
            make_folder(self.blobs)
            write_durable(self.blob_path(digest), content)
        return digest

    def current_number(self) -> int:
        """The active generation's number, 0 if there is none."""
        try:
            return int(os.path.basename(os.readlink(self.current)))
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            raise NodeFault(
                "state-damaged", "%s is not a link to a generation" % self.current
            ) from None

    def set_current(self, number: int) -> None:
        """Makes a generation the active one, in one step that lasts."""
        temporary = temporary_of(self.current)
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink("generations/%d" % number, temporary)
        os.rename(temporary, self.current)
        sync_folder(self.host.state)

    def numbers(self) -> List[int]:
        """All generations, the oldest first."""
        try:
            names = os.listdir(self.generations)
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isdigit())

    def next_number(self) -> int:
        """The number that a new generation gets: none is given twice."""
        return max([*self.numbers(), self.current_number()], default=0) + 1

    def try_manifest(self, number: int) -> Optional[Manifest]:
        """A generation's manifest; None for number 0 and for one that was pruned."""
        path = os.path.join(self.generations, str(number), "manifest.json")
        manifest: Optional[Manifest] = try_read_json(path)
        return manifest

    def manifest(self, number: int) -> Manifest:
        """A generation's manifest, an empty one for number 0. Raises NodeFault if it is gone."""
        found = self.try_manifest(number)
        if found is None and number != 0:
            raise NodeFault("no-such-generation", "generation %d is not on the node" % number)
        empty: Manifest = {
            "format": 1,
            "cloud": "",
            "node": "",
            "files": {},
            "units": {},
            "images": {},
            "secrets": {},
        }
        return found if found is not None else empty

    def record(self, number: int) -> Dict[str, Any]:
        """A generation's ``generation.json``; empty where there is none."""
        path = os.path.join(self.generations, str(number), "generation.json")
        return try_read_json(path) or {}

    def update_record(self, number: int, **values: Any) -> None:
        """Changes fields of a generation's record."""
        record = dict(self.record(number), **values)
        write_json(os.path.join(self.generations, str(number), "generation.json"), record)

    def switch_request(self, number: int) -> Dict[str, Any]:
        """What the switch to a generation has to do. Raises NodeFault if there is none."""
        path = os.path.join(self.generations, str(number), "switch.json")
        found: Optional[Dict[str, Any]] = try_read_json(path)
        if found is None:
            raise NodeFault("no-such-generation", "generation %d was never begun" % number)
        return found

    def add_generation(
        self, number: int, manifest: Manifest, record: Dict[str, Any], switch: Dict[str, Any]
    ) -> None:
        """Writes a new, pending generation: all of it or nothing."""
        folder = os.path.join(self.generations, str(number))
        temporary = temporary_of(folder)
        make_folder(self.generations)
        if os.path.isdir(temporary):
            remove_flat(temporary)
        os.mkdir(temporary, 0o700)
        for name, value in (("manifest", manifest), ("generation", record), ("switch", switch)):
            write_durable(os.path.join(temporary, name + ".json"), dump(value) + b"\n")
        os.rename(temporary, folder)
        sync_folder(self.generations)

    def remove_generation(self, number: int) -> None:
        """Removes a generation's folder."""
        remove_flat(os.path.join(self.generations, str(number)))
        sync_folder(self.generations)

    def history(self, *, switching: int = 0) -> List[Generation]:
        """All generations, the newest first; `switching` is the one whose switch has not ended."""
        current = self.current_number()
        entries = []
        for number in reversed(self.numbers()):
            record = self.record(number)
            entry: Generation = {
                "number": number,
                "who": record.get("who", ""),
                "when": record.get("when", 0.0),
                "message": record.get("message", ""),
                "changes": record.get("changes", []),
                "state": state_of(
                    record.get("state", PENDING),
                    is_current=number == current,
                    is_switching=number == switching,
                ),
                "rollback_of": record.get("rollback_of"),
            }
            entries.append(entry)
        return entries

    def digests_of(self, numbers: List[int]) -> Set[str]:
        """All blobs that these generations refer to."""
        found: Set[str] = set()
        for number in numbers:
            manifest = self.manifest(number)
            found.update(entry["digest"] for entry in manifest["files"].values())
            aside = self.record(number).get("displaced", {})
            found.update(entry["digest"] for entry in aside.values() if entry.get("digest"))
        return found


def state_of(recorded: str, *, is_current: bool, is_switching: bool) -> str:
    """What a generation is in the history."""
    if is_current:
        return ACTIVE
    if is_switching:
        return PENDING
    if recorded in (ACTIVE, PREVIOUS):
        return PREVIOUS
    # A pending one was written, but the machine went down before its switch began.
    return UNCONFIRMED if recorded == UNCONFIRMED else FAILED


def remove_flat(folder: str) -> None:
    """Removes a folder that holds files only."""
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
