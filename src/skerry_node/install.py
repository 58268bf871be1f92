"""Putting this program on the node, from the archive that the operator sent.

    /var/lib/skerry/program/DIGEST/skerry_node/*.py     with compiled modules beside them

Unpacked, because Python keeps the compiled modules of a folder and not those of an archive: they
are half of the time that a later start takes.
"""

from __future__ import annotations

import os
import shutil
import sys

from skerry_node.basics import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

# The version in use and the one before it: a switch may still be running from that.
KEPT = 2


def main(archive: str, version: str) -> int:
    """Unpacks the archive beside which it lies into a folder of its version; an exit status."""
    import compileall
    import zipfile

    os.umask(0o022)
    base = os.path.dirname(archive)
    os.chmod(base, 0o755)
    with zipfile.ZipFile(archive) as opened:
        contents = {name: opened.read(name) for name in opened.namelist()}
    os.unlink(archive)
    if digest_of_sources(contents) != version:
        sys.stderr.write("the node program arrived damaged\n")
        return 1
    unpacked = os.path.join(base, ".new-%d" % os.getpid())
    for name, content in contents.items():
        path = os.path.join(unpacked, name)
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    compileall.compile_dir(unpacked, quiet=2)
    os.sync()
    target = os.path.join(base, version)
    if os.path.isdir(target):
        shutil.rmtree(unpacked)
    else:
        os.rename(unpacked, target)
    remove_old(base, version)
    return 0


def digest_of_sources(contents: Dict[str, bytes]) -> str:
    """The version of the program: a digest of its modules' names and contents."""
    found = sha256()
    for name, content in sorted(contents.items()):
        found.update(b"%s\0%d\0" % (name.encode(), len(content)))
        found.update(content)
    return str(found.hexdigest())[:32]


def remove_old(base: str, version: str) -> None:
    """Removes all versions but the last ones, and what a crash left."""
    names = [name for name in os.listdir(base) if name != version]
    whole = [name for name in names if not name.startswith(".")]
    whole.sort(key=lambda name: os.stat(os.path.join(base, name)).st_mtime)
    for name in [*whole[: max(0, len(whole) - KEPT + 1)], *(set(names) - set(whole))]:
        path = os.path.join(base, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
