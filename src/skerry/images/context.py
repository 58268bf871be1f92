"""The sources of an image: their digest, and a copy of them for ``podman build``."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from skerry.errors import ImageFailed
from skerry.images.archive import read_digest


def read_sources_digest(folder: Path) -> str:
    """One digest of every name, content, link and run bit in the folder."""
    digest = hashlib.sha256()
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            line = f"link {name!r} {str(path.readlink())!r}"
        elif path.is_dir():
            line = f"folder {name!r}"
        else:
            line = f"file {name!r} {_mode(path):o} {read_digest(path)}"
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def copy_sources(source: Path, target: Path) -> None:
    """Copies a file or a folder with modes that do not depend on anyone's umask: 644 and 755."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    if source.is_file():
        shutil.copyfile(source, target)
        target.chmod(_mode(source))
        return
    target.mkdir()
    target.chmod(0o755)
    for path in sorted(source.iterdir()):
        copy_sources(path, target / path.name)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(parent) / name
            if not (path.is_symlink() or path.is_dir() or path.is_file()):
                raise ImageFailed(
                    f"{path} is no file, folder or link, and cannot go into an image",
                    hint="remove it from the image's folder",
                )
            yield path


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644
