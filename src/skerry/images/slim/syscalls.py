"""Which arguments of system calls are paths, and what the call does with what lies there.

Sources: syscalls(2) and the pages of the single calls; the names are those that strace(1) prints.
"""

from __future__ import annotations

import msgspec

# What may be done with a path. What is made or replaced was not needed before.
OPENED = "opened"
RUN = "run"
LOOKED_AT = "looked at"
LISTED = "listed"
CONNECTED = "connected"
CHANGED = "changed"
# Made if it was not there.
WRITTEN = "written"
MADE = "made"
REMOVED = "removed"


class PathArgument(msgspec.Struct, frozen=True):
    """One argument that is a path: its place, that of the folder that it starts from (None for the
    working directory), and what is done with it."""

    place: int
    how: str
    folder: int | None = None


def _plain(how: str, *places: int) -> tuple[PathArgument, ...]:
    return tuple(PathArgument(place, how) for place in places or (0,))


def _at(how: str, folder: int = 0, place: int = 1) -> tuple[PathArgument, ...]:
    return (PathArgument(place, how, folder),)


PATHS: dict[str, tuple[PathArgument, ...]] = {
    "open": _plain(OPENED),
    "openat": _at(OPENED),
    "openat2": _at(OPENED),
    "open_tree": _at(OPENED),
    "creat": _plain(MADE),
    "execve": _plain(RUN),
    "execveat": _at(RUN),
    "uselib": _plain(RUN),
    **dict.fromkeys(
        (
            "stat", "stat64", "lstat", "lstat64", "oldstat", "oldlstat", "access", "readlink",
            "statfs", "statfs64", "getxattr", "lgetxattr", "listxattr", "llistxattr",
        ),
        _plain(LOOKED_AT),
    ),
    **dict.fromkeys(
        (
            "newfstatat", "fstatat64", "statx", "faccessat", "faccessat2", "readlinkat",
            "name_to_handle_at", "inotify_add_watch",
        ),
        _at(LOOKED_AT),
    ),
    "fanotify_mark": _at(LOOKED_AT, 3, 4),
    **dict.fromkeys(("chdir", "chroot", "swapon", "acct", "umount2"), _plain(OPENED)),
    **dict.fromkeys(
        (
            "chmod", "chown", "chown32", "lchown", "lchown32", "truncate", "truncate64", "utime",
            "utimes", "setxattr", "lsetxattr", "removexattr", "lremovexattr",
        ),
        _plain(CHANGED),
    ),
    **dict.fromkeys(
        ("fchmodat", "fchmodat2", "fchownat", "utimensat", "futimesat"), _at(CHANGED)
    ),
    **dict.fromkeys(("mkdir", "mknod"), _plain(MADE)),
    **dict.fromkeys(("mkdirat", "mknodat"), _at(MADE)),
    **dict.fromkeys(("unlink", "rmdir"), _plain(REMOVED)),
    "unlinkat": _at(REMOVED),
    # What a symbolic link leads to is a text; it is followed when it is used.
    "symlink": _plain(MADE, 1),
    "symlinkat": _at(MADE, 1, 2),
    "link": (*_plain(OPENED, 0), *_plain(MADE, 1)),
    "linkat": (*_at(OPENED, 0, 1), *_at(MADE, 2, 3)),
    "rename": (*_plain(REMOVED, 0), *_plain(MADE, 1)),
    **dict.fromkeys(
        ("renameat", "renameat2"), (*_at(REMOVED, 0, 1), *_at(MADE, 2, 3))
    ),
    "mount": (*_plain(OPENED, 1),),
    "pivot_root": _plain(OPENED, 0, 1),
    "quotactl": _plain(LOOKED_AT, 1),
}  # fmt: skip
# Their first argument is an open folder whose names are read.
LISTINGS = frozenset({"getdents", "getdents64"})
# They have the address of a socket as their second argument, which may be a path.
ADDRESSES = {"connect": CONNECTED, "bind": MADE}
# Calls that make a process, which begins in the working directory of who made it.
FORKS = frozenset({"clone", "clone3", "fork", "vfork"})
# They change the working directory.
MOVES = frozenset({"chdir", "fchdir"})


def traced_calls() -> str:
    """What strace is told to watch, for its option ``-e trace=``.

    A call that this machine's strace or processor does not know is no error (``?``).
    """
    names = {*PATHS, *LISTINGS, *ADDRESSES, *FORKS, *MOVES}
    return ",".join(f"?{name}" for name in sorted(names))
