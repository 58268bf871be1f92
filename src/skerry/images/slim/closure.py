"""All that paths need beside themselves: links on the way, interpreters, loaders, libraries.

Each path that is kept has the reason for it, so that a person can be told.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections import deque
from collections.abc import Iterable

import msgspec

from skerry.images.slim.elf import Elf, try_parse_elf
from skerry.images.slim.root import FILE, FOLDER, LINK, Root
from skerry.images.slim.spec import BELOW

# What the kernel makes anew in each container. The folders themselves are kept, to be mounted on.
_KERNEL = ("/proc", "/sys", "/dev")
# As many as Linux follows (path_resolution(7)).
_LINKS_MOST = 40
# ld.so(8); the folders of one architecture, which Debian has, are found by their names.
_LIBRARIES = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/lib32", "/usr/lib32", "/usr/local/lib")
_TRIPLET = re.compile(r"[a-z0-9_]+-linux-(gnu|musl)\w*")
_SHEBANG_MOST = 256


class Reason(msgspec.Struct, frozen=True):
    """Why a path is kept: `why` in a few words, and the path or exercise `of` which it is so."""

    why: str
    of: str = ""

    def __str__(self) -> str:
        return f"{self.why} {self.of}".rstrip()


class Closure:
    """What is kept of a root, with the first reason for each path.

    `kept` has paths without links or ``..`` in them. `missing` are those that were asked for and
    are not there, by the path where the way ends.
    """

    def __init__(self, root: Root) -> None:
        self.root = root
        self.kept: dict[str, Reason] = {}
        self.missing: dict[str, Reason] = {}
        self._waiting: deque[str] = deque()
        self._folders: list[str] | None = None

    def keep(self, paths: Iterable[str], reason: Reason) -> None:
        """Keeps paths, with all that they need."""
        for path in paths:
            self._add(path, reason)
        while self._waiting:
            self._follow(self._waiting.popleft())

    def wanted(self) -> list[str]:
        """What is kept for its own sake, sorted: without folders that only have something below
        them."""
        return sorted(path for path, reason in self.kept.items() if reason.why != _ABOVE)

    def links(self) -> dict[str, str]:
        """The symbolic links that are kept, with what they say."""
        nodes = {path: self.root.try_look(path) for path in sorted(self.kept)}
        return {path: node.target for path, node in nodes.items() if node and node.kind == LINK}

    def keep_matching(self, pattern: str, reason: Reason) -> bool:
        """Keeps all that a pattern means; whether that is anything.

        ``*`` is any name; a pattern that ends with ``/**`` means all that is below it too.
        """
        found = self.matching(pattern)
        self.keep(found, reason)
        return bool(found)

    def matching(self, pattern: str) -> list[str]:
        """The paths of the root that a pattern means, kept or not."""
        found = self._match(pattern.removesuffix(BELOW))
        if pattern.endswith(BELOW):
            return [one for path in found for one in (path, *self._below(path))]
        return found

    def _match(self, pattern: str) -> list[str]:
        """The paths of this pattern that are there, with links not followed at their ends."""
        found = ["/"]
        for part in pattern.strip("/").split("/"):
            found = [
                posixpath.join(above, name)
                for above in found
                for name in (fnmatch.filter(self._names(above), part) if "*" in part else [part])
            ]
        return [path for path in found if self._exists(path)]

    def _exists(self, path: str) -> bool:
        if path == "/":
            return True
        above = self._real(posixpath.dirname(path))
        if above is None:
            return False
        return self.root.try_look(posixpath.join(above, posixpath.basename(path))) is not None

    def _names(self, path: str) -> list[str]:
        real = self._real(path)
        return self.root.names(real) if real is not None else []

    def _below(self, path: str) -> list[str]:
        """All paths below a folder, in order; links are not followed."""
        real = self._real(path)
        found: list[str] = []
        waiting = [real] if real is not None else []
        while waiting:
            above = waiting.pop()
            node = self.root.try_look(above)
            if node is None or node.kind != FOLDER or is_kernels(above + "/"):
                continue
            inside = [posixpath.join(above, name) for name in self.root.names(above)]
            found += inside
            waiting += inside
        return found

    def _add(self, path: str, reason: Reason) -> str | None:
        """Keeps one path and the links on the way; where it is for good, None if nowhere."""
        real = self._walk(path, reason)
        if real is None:
            self.missing.setdefault(path, reason)
            return None
        if is_kernels(real):
            return None
        if self._note(real, reason):
            self._waiting.append(real)
        return real

    def _walk(self, path: str, reason: Reason) -> str | None:
        here, links = "/", 0
        ahead = deque(part for part in path.split("/") if part not in ("", "."))
        while ahead:
            part = ahead.popleft()
            if part == "..":
                here = posixpath.dirname(here)
                continue
            step = posixpath.join(here, part)
            if is_kernels(step):
                return posixpath.join(step, *ahead)
            node = self.root.try_look(step)
            if node is None:
                return None
            if node.kind == LINK:
                links += 1
                if links > _LINKS_MOST:
                    return None
                self._note(step, reason if not ahead else Reason("a link on the way to", path))
                if node.target.startswith("/"):
                    here = "/"
                ahead.extendleft(
                    one for one in reversed(node.target.split("/")) if one not in ("", ".")
                )
                continue
            if ahead and node.kind != FOLDER:
                return None
            here = step
        return here

    def _note(self, path: str, reason: Reason) -> bool:
        """Keeps a path with the folders above it; whether it is new."""
        if path in self.kept and self.kept[path].why != _ABOVE:
            return False
        is_new = path not in self.kept
        self.kept[path] = reason
        above = posixpath.dirname(path)
        while above not in self.kept:
            self.kept[above] = Reason(_ABOVE, path)
            above = posixpath.dirname(above)
        return is_new

    def _follow(self, path: str) -> None:
        """Keeps what a file names in its first bytes."""
        node = self.root.try_look(path)
        if node is None or node.kind != FILE:
            return
        head = self.root.read(path, _SHEBANG_MOST)
        if head.startswith(b"#!") and node.is_program:
            words = head[2:].partition(b"\n")[0].split()
            if words:
                self._add(words[0].decode(errors="surrogateescape"), Reason("runs", path))
        elif head.startswith(b"\x7fELF"):
            elf = try_parse_elf(self.root.read(path))
            if elf is not None:
                self._follow_elf(path, elf)

    def _follow_elf(self, path: str, elf: Elf) -> None:
        if elf.loader:
            self._add(elf.loader, Reason("loads", path))
        for name in elf.needed:
            found = self._find_library(path, name, elf)
            if found is not None:
                self._add(found, Reason("a library of", path))

    def _find_library(self, path: str, name: str, elf: Elf) -> str | None:
        """Where the loader would find a library. It is not asked: it may be another machine's."""
        if "/" in name:
            return name
        origin = posixpath.dirname(path)
        own = [
            folder.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for folder in elf.folders
        ]
        for folder in (*own, *self._library_folders()):
            place = posixpath.join(folder, name)
            real = self._real(place)
            if real is not None and self._is_same_class(real, elf):
                return place
        return None

    def _is_same_class(self, path: str, elf: Elf) -> bool:
        head = self.root.read(path, 5)
        return head[:4] == b"\x7fELF" and (head[4] == 2) == elf.is_64

    def _real(self, path: str) -> str | None:
        """Where a path leads to, with nothing kept for it."""
        probe = Closure(self.root)
        return probe._walk(path, _PROBE)

    def _library_folders(self) -> list[str]:
        if self._folders is None:
            triplets = [
                f"{above}/{name}"
                for above in ("/lib", "/usr/lib", "/usr/local/lib")
                for name in self.root.names(self._real(above) or above)
                if _TRIPLET.fullmatch(name)
            ]
            self._folders = [*self._configured(), *triplets, *_LIBRARIES]
        return self._folders

    def _configured(self) -> list[str]:
        """The folders of ld.so.conf(5) and the files that it usually includes."""
        found = []
        names = [f"/etc/ld.so.conf.d/{name}" for name in self.root.names("/etc/ld.so.conf.d")]
        for path in ("/etc/ld.so.conf", *names):
            for line in self.root.read(path).decode(errors="replace").splitlines():
                word = line.partition("#")[0].strip()
                if word.startswith("/"):
                    found.append(word)
        return found


_ABOVE = "above"
_PROBE = Reason("looked for")


def is_kernels(path: str) -> bool:
    """Whether a path is in a file system that the kernel makes."""
    return any(path.startswith(above + "/") for above in _KERNEL)
