"""The files of a tree on the disk: what lies there, and replacing one tree by another."""

from __future__ import annotations

import os
import stat

from skerry_node.basics import sha256
from skerry_node.durable import read_chunks, stage, sync_folder, temporary_of
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple

    from skerry_node.host import Host
    from skerry_node.store import Store
    from skerry_node.wire import FileEntry, Manifest

    # Digests of large files by path, with what tells that they are still the same file.
    Trusted = Mapping[str, List[Any]]

# A file larger than this is not read again while its inode, size and time of change stay.
LARGE = 1 << 20
# What lies below is Skerry's alone: a link there leads where nothing of ours may be written.
_OWN_FOLDER = "/etc/skerry"


class Found:
    """What lies at a path. `kind` is ``file``, ``link``, ``folder``, ``other`` or ``absent``.

    `content` is that of a small file, None where it is `LARGE` or was not read.
    """

    __slots__ = ("content", "digest", "kind", "mode", "owner")

    def __init__(
        self,
        kind: str,
        digest: str = "",
        mode: int = 0,
        owner: str = "",
        content: Optional[bytes] = None,
    ) -> None:
        self.kind = kind
        self.digest = digest
        self.mode = mode
        self.owner = owner
        self.content = content

    def is_entry(self, entry: Optional[FileEntry]) -> bool:
        """Whether it is just what a manifest says; None says that nothing is there."""
        if entry is None:
            return self.kind == "absent"
        return (
            self.kind == "file"
            and self.digest == entry["digest"]
            and self.mode == entry["mode"]
            and self.owner == entry["owner"]
        )


class Owners:
    """User and group names by their numbers and back, each looked up once."""

    def __init__(self) -> None:
        self._names: Dict[Tuple[int, int], str] = {(0, 0): "root:root"}
        self._ids: Dict[str, Tuple[int, int]] = {"root:root": (0, 0)}

    def name(self, uid: int, gid: int) -> str:
        """``user:group``, with numbers where there is no name."""
        if (uid, gid) not in self._names:
            import grp
            import pwd

            try:
                user = pwd.getpwuid(uid).pw_name
            except KeyError:
                user = str(uid)
            try:
                group = grp.getgrgid(gid).gr_name
            except KeyError:
                group = str(gid)
            self._names[uid, gid] = "%s:%s" % (user, group)
        return self._names[uid, gid]

    def ids(self, owner: str) -> Tuple[int, int]:
        """The numbers of ``user:group``. Raises NodeFault where there is no such user or group."""
        if owner not in self._ids:
            import grp
            import pwd

            user, _, group = owner.partition(":")
            try:
                uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
                gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
            except KeyError:
                raise NodeFault(
                    "no-such-user", "a file is to belong to %s, which the node has not" % owner
                ) from None
            self._ids[owner] = (uid, gid)
        return self._ids[owner]


def look(path: str, owners: Owners, trusted: Optional[List[Any]] = None) -> Found:
    """What lies at a path of this machine; a small file's content comes along."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Found("absent")
    mode, owner = stat.S_IMODE(status.st_mode), owners.name(status.st_uid, status.st_gid)
    if not stat.S_ISREG(status.st_mode):
        kind = "other"
        if stat.S_ISLNK(status.st_mode):
            kind = "link"
        elif stat.S_ISDIR(status.st_mode):
            kind = "folder"
        return Found(kind, mode=mode, owner=owner)
    if status.st_size > LARGE and trusted is not None and trusted[:3] == identity(status):
        return Found("file", trusted[3], mode, owner)
    found, first = sha256(), b""
    for chunk in read_chunks(path):
        found.update(chunk)
        first = first + chunk if len(first) <= LARGE else first
    content = first if len(first) <= LARGE else None
    return Found("file", "sha256:" + str(found.hexdigest()), mode, owner, content)


def identity(status: os.stat_result) -> List[int]:
    """What stays the same as long as nobody writes to a file."""
    return [status.st_mtime_ns, status.st_size, status.st_ino]


def missing_folders(host: Host, paths: Iterable[str]) -> List[str]:
    """The folders that must be made for these paths, the outer ones first."""
    missing: Set[str] = set()
    for path in paths:
        folder = os.path.dirname(path)
        for one in folders_above(path):
            if one.startswith(_OWN_FOLDER) and os.path.islink(host.path(one)):
                raise in_the_way(path, "%s is a link and no folder any more" % one)
        while folder not in missing and not os.path.lexists(host.path(folder)):
            missing.add(folder)
            folder = os.path.dirname(folder)
        if folder not in missing and not os.path.isdir(host.path(folder)):
            raise in_the_way(path, "%s is not a folder" % folder)
    return sorted(missing)


def in_the_way(path: str, why: str) -> NodeFault:
    """The fault when a path cannot be written without losing what is not Skerry's."""
    return NodeFault(
        "file-in-the-way",
        "%s cannot be written: %s" % (path, why),
        hint="move it away on the node, or name the workload differently",
    )


class Replacement:
    """One tree's files in the place of another's.

    `adopted` are paths that lay there before Skerry, with the same content: going back leaves
    them. `folders` are those that Skerry made; they are removed when nothing needs them.
    """

    def __init__(
        self,
        host: Host,
        store: Store,
        before: Manifest,
        after: Manifest,
        *,
        adopted: Iterable[str],
        folders: Iterable[str],
    ) -> None:
        self.host = host
        self.store = store
        self.before = before["files"]
        self.after = after["files"]
        self.adopted = set(adopted)
        self.folders = list(folders)
        self.owners = Owners()
        self.lost: List[str] = []

    def write(self, number: int, *, is_return: bool = False) -> List[str]:
        """Makes and replaces files; the paths that it touched.

        What somebody edited is put aside in the store first, and `number`'s record names it.
        What the new tree no longer has stays until `remove`. Every step can be repeated.
        On the return to an old tree a content that the store has lost holds nothing up: the path
        is in `lost`.
        """
        changes = [path for path, entry in self.after.items() if not self._look(path, entry)]
        self._put_aside(number, changes + self._removals())
        self._make_folders()
        staged = []
        for path in changes:
            try:
                staged.append((self._stage(path), self.host.path(path)))
            except NodeFault:
                if not is_return:
                    raise
                self.lost.append(path)
        for temporary, target in staged:
            os.rename(temporary, target)
        self._remove_temporaries()
        self._sync(changes)
        return changes

    def remove(self, number: int) -> List[str]:
        """Removes what only the old tree had; the paths. Every step can be repeated."""
        removals = self._removals()
        self._put_aside(number, removals)
        for path in removals:
            os.unlink(self.host.path(path))
        self._remove_folders(removals)
        self._sync(removals)
        return removals

    def _removals(self) -> List[str]:
        return [
            path
            for path in self.before
            if path not in self.after
            and path not in self.adopted
            and os.path.lexists(self.host.path(path))
        ]

    def _sync(self, paths: Iterable[str]) -> None:
        for folder in sorted({os.path.dirname(self.host.path(path)) for path in paths}):
            if os.path.isdir(folder):
                sync_folder(folder)

    def _look(self, path: str, entry: FileEntry) -> bool:
        return look(self.host.path(path), self.owners).is_entry(entry)

    def _put_aside(self, number: int, paths: Iterable[str]) -> None:
        """Stores what is neither tree's: somebody edited it on the node.

        And what is the old tree's, should its blob be lost: going back needs it.
        """
        aside: Dict[str, Dict[str, Any]] = {}
        for path in paths:
            found = look(self.host.path(path), self.owners)
            known = {
                entry["digest"]
                for entry in (self.before.get(path), self.after.get(path))
                if entry is not None
            }
            if found.kind in ("folder", "other"):
                what = "a folder" if found.kind == "folder" else "no regular file"
                raise in_the_way(path, "%s is there" % what)
            if found.kind == "link":
                target = os.readlink(self.host.path(path))
                aside[path] = {"link": target, "owner": found.owner}
            elif found.kind == "file":
                self.store.keep_blob(found.digest, self.host.path(path))
                if found.digest not in known:
                    aside[path] = {"digest": found.digest, "mode": found.mode, "owner": found.owner}
        if aside:
            before = self.store.record(number).get("displaced", {})
            self.store.update_record(number, displaced=dict(before, **aside))

    def _make_folders(self) -> None:
        for folder in missing_folders(self.host, self.after):
            os.mkdir(self.host.path(folder))
            os.chmod(self.host.path(folder), 0o755)
            sync_folder(os.path.dirname(self.host.path(folder)))

    def _stage(self, path: str) -> str:
        entry = self.after[path]
        content = self.store.read_blob(entry["digest"])
        uid, gid = self.owners.ids(entry["owner"])
        return stage(self.host.path(path), content, entry["mode"], uid, gid)

    def _remove_temporaries(self) -> None:
        """Removes what an interrupted run may have staged."""
        for path in {**self.before, **self.after}:
            temporary = temporary_of(self.host.path(path))
            # Looked at first: on a read-only file system even removing nothing is an error.
            if os.path.lexists(temporary):
                os.unlink(temporary)

    def _remove_folders(self, removals: List[str]) -> None:
        needed = {folder for path in self.after for folder in folders_above(path)}
        for folder in sorted(self.folders, key=len, reverse=True):
            if folder not in needed:
                try:
                    os.rmdir(self.host.path(folder))
                except OSError:
                    # Not empty: somebody keeps something there.
                    continue


def folders_above(path: str) -> List[str]:
    """All folders that a path lies in, but for the root."""
    folders = []
    folder = os.path.dirname(path)
    while folder not in ("/", ""):
        folders.append(folder)
        folder = os.path.dirname(folder)
    return folders
