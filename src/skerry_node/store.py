"""What Skerry keeps on a node: blobs, generations, and which of them is active.

blobs/sha256/HEX                content of files, by digest
generations/N/manifest.json     the whole tree of generation N
generations/N/generation.json   who, when, why, how it ended; what was made or put aside for it
generations/N/switch.json       what the switch to it has to do
current -> generations/N        the active generation
"""

from __future__ import annotations

import os

from skerry_node.basics import dump, sha256
from skerry_node.durable import (
    damaged,
    make_folder,
    read_chunks,
    replace,
    sync_folder,
    temporary_of,
    try_read_json,
    try_unlink,
    write_durable,
    write_json,
)
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, Iterator, List, Optional, Set

    from skerry_node.host import Host
    from skerry_node.wire import Generation, Manifest

# The state that a generation's record names: pending until its switch has ended. Whether an
# active one is the active one or a previous one is told by `current` alone.
PENDING = "pending"
ACTIVE = "active"
PREVIOUS = "previous"
FAILED = "failed"
UNCONFIRMED = "unconfirmed"

# What must be in the files, see `durable.has_shape`.
_NUMBER = (int, float)
_MANIFEST = {
    "files": {"": {"digest": str, "mode": int, "owner": str}},
    "units": {
        "": {
            "files": [str],
            "volumes": [str],
            "ports": [str],
            "settle": _NUMBER,
            "deadline": _NUMBER,
            "completes": bool,
            "reloads": bool,
            "workload": str,
            "replica": int,
            "container": str,
            "image": str,
            "image_id": str,
            "role?": str,
            "ready?": str,
            "completed?": str,
            "records?": str,
            "grace?": _NUMBER,
        }
    },
    "images": {"": str},
    "secrets?": {"": dict},
}
_RECORD = {
    "who?": str,
    "when?": _NUMBER,
    "message?": str,
    "changes?": [str],
    "state?": str,
    "folders?": [str],
    "displaced?": {"": dict},
    "large?": {"": list},
}
_ACTIONS = [{"verb": str, "unit": str, "stage": int}]
_SWITCH = {
    "token": str,
    "base": int,
    "actions": _ACTIONS,
    "undo": _ACTIONS,
    "daemon_reload": bool,
    "confirm_within": _NUMBER,
    "adopted": [str],
}
# So much is kept free for the moment when the disk is full, in bytes: undoing writes, and so does
# the lock of `prune`.
_RESERVE = 1 << 18


class Store:
    """Reads and writes the state folder of a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.blobs = host.state_path("blobs", "sha256")
        self.generations = host.state_path("generations")
        self.current = host.state_path("current")
        self.reserve = host.state_path("reserve")

    def make_folders(self) -> None:
        """Makes the folders, for root alone."""
        make_folder(self.blobs)
        make_folder(self.generations)
        if not os.path.lexists(self.reserve):
            descriptor = os.open(self.reserve, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _RESERVE)
            except OSError:
                # Then there is no room for anything else either, which is said where it counts.
                self.free_reserve()
            finally:
                os.close(descriptor)

    def free_reserve(self) -> None:
        """Makes some room on a disk that may be full."""
        try_unlink(self.reserve)

    def blob_path(self, digest: str) -> str:
        """Where the blob of a digest lies. Raises NodeFault for what is no digest."""
        name = digest[len("sha256:") :]
        if not digest.startswith("sha256:") or len(name) != 64 or not name.isalnum():
            raise NodeFault("bad-request", "%r is not a digest" % digest)
        return os.path.join(self.blobs, name)

    def has_blob(self, digest: str) -> bool:
        """Whether the content of a digest is here."""
        path = self.blob_path(digest)
        if os.path.exists(path):
            return True
        # A link that leads nowhere would count as a blob in a listing.
        try_unlink(path)
        return False

    def read_blob(self, digest: str) -> Iterator[bytes]:
        """The content of a digest, piece by piece.

        Raises NodeFault if it is not here, and after the last piece if it is not what it was:
        nothing that is made of it counts before the end.
        """
        path, found = self.blob_path(digest), sha256()
        try:
            for chunk in read_chunks(path):
                found.update(chunk)
                yield chunk
        except FileNotFoundError:
            raise NodeFault(
                "blob-missing",
                "the content %s is not on the node" % digest[:19],
                hint="run the command again: it is sent then",
            ) from None
        if "sha256:" + found.hexdigest() != digest:
            try_unlink(path)
            raise NodeFault(
                "state-damaged",
                "the stored content %s was damaged and is removed" % digest[:19],
                hint="run the command again: it is sent then; the disk may be failing",
            )

    def write_blob(self, digest: str, chunks: Iterable[bytes]) -> None:
        """Stores a content. Raises NodeFault, with nothing stored, where it has another digest.

        It lasts when the folder of blobs is synced.
        """
        replace(self.blob_path(digest), _checked(chunks, digest))

    def keep_blob(self, digest: str, source: str) -> None:
        """Stores a file's content, which has that digest, unless it is here and whole."""
        try:
            self.check_blob(digest)
        except NodeFault:
            make_folder(self.blobs)
            self.write_blob(digest, read_chunks(source))
            sync_folder(self.blobs)

    def check_blob(self, digest: str) -> None:
        """Raises NodeFault where a content is not here, or not what it was."""
        for _ in self.read_blob(digest):
            continue

    def current_number(self) -> int:
        """The active generation's number, 0 if there is none.

        Where the link or what it leads to is lost, the last one that was confirmed is: a rollback
        is a new one.
        """
        linked, numbers = self._linked_number(), self.numbers()
        if linked in numbers:
            return linked
        confirmed = [one for one in numbers if self.record(one).get("state") == ACTIVE]
        return max(confirmed, default=0)

    def _linked_number(self) -> int:
        if os.path.isdir(self.current) and not os.path.islink(self.current):
            raise damaged(self.current, "a folder is there", "move it away on the node")
        try:
            folder, name = os.path.split(os.readlink(self.current))
        except OSError:
            return 0
        return int(name) if folder == "generations" and name.isdigit() else 0

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
        return sorted(int(name) for name in names if name.isdigit() and name[0] != "0")

    def next_number(self) -> int:
        """The number that a new generation gets: none is given twice."""
        return max([*self.numbers(), self._linked_number()]) + 1

    def try_manifest(self, number: int) -> Optional[Manifest]:
        """A generation's manifest; None for number 0 and for one that was pruned."""
        path = os.path.join(self.generations, str(number), "manifest.json")
        manifest: Optional[Manifest] = try_read_json(path, _MANIFEST)
        return manifest

    def is_whole(self, number: int) -> bool:
        """Whether a generation can still be gone back to."""
        try:
            return self.try_manifest(number) is not None
        except NodeFault:
            return False

    def manifest(self, number: int) -> Manifest:
        """A generation's manifest, an empty one for number 0. Raises NodeFault if it is gone."""
        folder = os.path.join(self.generations, str(number))
        try:
            found = self.try_manifest(number)
            if found is None and os.path.lexists(folder):
                raise damaged(folder, "it has no manifest.json")
        except NodeFault as fault:
            fault.hint = (
                "put it back from a backup; or move %s away on the node and apply: what only this "
                "generation had is left there then" % folder
            )
            raise
        if found is None and number != 0:
            raise NodeFault(
                "no-such-generation",
                "generation %d is not on the node" % number,
                "`skerry history` lists those that are",
            )
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
        """A generation's ``generation.json``; empty where there is none, or it is damaged."""
        path = os.path.join(self.generations, str(number), "generation.json")
        try:
            return try_read_json(path, _RECORD) or {}
        except NodeFault:
            # It is for people, but for the folders that were made: those stay then.
            return {}

    def update_record(self, number: int, **values: Any) -> None:
        """Changes fields of a generation's record."""
        record = dict(self.record(number), **values)
        write_json(os.path.join(self.generations, str(number), "generation.json"), record)

    def switch_request(self, number: int) -> Dict[str, Any]:
        """What the switch to a generation has to do. Raises NodeFault if there is none."""
        path = os.path.join(self.generations, str(number), "switch.json")
        found: Optional[Dict[str, Any]] = try_read_json(path, _SWITCH)
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
        if os.path.lexists(temporary):
            remove_tree(temporary)
        try:
            os.mkdir(temporary, 0o700)
            for name, value in (("manifest", manifest), ("generation", record), ("switch", switch)):
                write_durable(os.path.join(temporary, name + ".json"), dump(value) + b"\n")
            os.rename(temporary, folder)
        except OSError:
            remove_tree(temporary)
            raise
        sync_folder(self.generations)

    def remove_generation(self, number: int) -> None:
        """Removes a generation's folder."""
        import shutil

        shutil.rmtree(os.path.join(self.generations, str(number)))
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


def try_give_up(host: Host, number: int, why: str) -> None:
    """Records that a generation never became anything; unrecorded it counts as failed too."""
    try:
        Store(host).update_record(number, state=FAILED, why=why)
    except OSError:
        return


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


def remove_tree(folder: str) -> None:
    """Removes a folder with all that is in it, as far as that is possible."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _checked(chunks: Iterable[bytes], digest: str) -> Iterator[bytes]:
    found = sha256()
    for chunk in chunks:
        found.update(chunk)
        yield chunk
    if "sha256:" + found.hexdigest() != digest:
        raise NodeFault(
            "damaged-transfer",
            "the content %s arrived damaged" % digest[:19],
            "run the command again",
        )
