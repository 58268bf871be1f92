"""A layer with files of this machine, just as they are: owners, modes, attributes, hard links.

Sources: pax(1) for the format; ``SCHILY.xattr.`` is how star, GNU tar and the OCI tools write
extended attributes, file capabilities among them.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterable
from pathlib import Path

from skerry.errors import ImageFailed
from skerry.images.slim.root import DiskRoot

_ATTRIBUTE = "SCHILY.xattr."
# What the kernel of another machine would not take, or makes anew.
_LEFT = ("security.selinux", "security.ima", "security.evm", "trusted.overlay.")


def write_layer_of(root: DiskRoot, paths: Iterable[str], target: Path) -> int:
    """Writes an uncompressed tar of these paths, which lie in `root`; the bytes of their files.

    The same files give the same tar. Files with one inode are one file there too. What cannot be
    read is an `ImageFailed`: an image without it would only fail later. A socket is left out: it
    is made by whoever listens on it.
    """
    size = 0
    linked: dict[tuple[int, int], str] = {}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(paths):
            place, name = root.place(path), path.strip("/")
            if not name:
                continue
            try:
                size += _add(tar, place, name, linked)
            except OSError as error:
                raise ImageFailed(
                    f"{path} cannot be read: {error.strerror}",
                    hint="as root it can; or take it out of the spec",
                ) from None
    return size


def _add(tar: tarfile.TarFile, place: Path, name: str, linked: dict[tuple[int, int], str]) -> int:
    found = place.lstat()
    member = tarfile.TarInfo(name)
    member.mode = stat.S_IMODE(found.st_mode)
    member.uid, member.gid = found.st_uid, found.st_gid
    # A file's time says to some whether what they made of it is still good (Python's .pyc); that of
    # a folder changes with whatever comes and goes in it.
    member.mtime = int(found.st_mtime) if stat.S_ISREG(found.st_mode) else 0
    member.pax_headers = _attributes(place)
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFSOCK:
        return 0
    if kind == stat.S_IFDIR:
        member.type = tarfile.DIRTYPE
    elif kind == stat.S_IFLNK:
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(place)  # noqa: PTH115 (as written)
    elif kind == stat.S_IFIFO:
        member.type = tarfile.FIFOTYPE
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        member.type = tarfile.CHRTYPE if kind == stat.S_IFCHR else tarfile.BLKTYPE
        member.devmajor, member.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    else:
        return _add_file(tar, place, member, found, linked)
    tar.addfile(member)
    return 0


def _add_file(
    tar: tarfile.TarFile,
    place: Path,
    member: tarfile.TarInfo,
    found: os.stat_result,
    linked: dict[tuple[int, int], str],
) -> int:
    inode = (found.st_dev, found.st_ino)
    if found.st_nlink > 1 and inode in linked:
        member.type, member.linkname = tarfile.LNKTYPE, linked[inode]
        member.pax_headers = {}
        tar.addfile(member)
        return 0
    linked[inode] = member.name
    with place.open("rb") as file:
        member.size = os.fstat(file.fileno()).st_size
        tar.addfile(member, file)
    return member.size


def _attributes(place: Path) -> dict[str, str]:
    try:
        names = os.listxattr(place, follow_symlinks=False)
    except OSError:
        # A file system without any.
        return {}
    return {
        _ATTRIBUTE + name: os.getxattr(place, name, follow_symlinks=False).decode(
            errors="surrogateescape"
        )
        for name in sorted(names)
        if not name.startswith(_LEFT)
    }
