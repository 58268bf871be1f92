"""Putting this program on the node, from the archive that the operator sent.

    /var/lib/skerry/program/DIGEST/skerry_node/*.py     with compiled modules beside them

Unpacked, because Python keeps the compiled modules of a folder and not those of an archive: they
are half of the time that a later start takes.
"""

from __future__ import annotations

import io
import os
import shutil
import sys

from skerry_node.basics import sha256

# The version in use and the one before it: a switch may still be running from that.
KEPT = 2


def main(archive: str, version: str, digest: str) -> int:
    """Unpacks the archive beside which it lies into a folder of its version; an exit status.

    `digest` is that of the archive, 64 hexadecimal digits.
    """
    import compileall
    import zipfile

    os.umask(0o022)
    base = os.path.dirname(archive)
    os.chmod(base, 0o755)
    with open(archive, "rb") as file:
        content = file.read()
    os.unlink(archive)
    if sha256(content).hexdigest() != digest:
        sys.stderr.write("the node program arrived damaged\n")
        return 1
    unpacked = os.path.join(base, ".new-%d" % os.getpid())
    target = os.path.join(base, version)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            opened.extractall(unpacked)
        compileall.compile_dir(unpacked, quiet=2)
        os.sync()
        if os.path.lexists(target):
            # It is sent again where the one that is here does not work.
            os.rename(target, os.path.join(base, ".old-%d" % os.getpid()))
        os.rename(unpacked, target)
    except OSError:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise
    remove_old(base, version)
    return 0


def remove_old(base: str, version: str) -> None:
    """Removes all versions but the last ones, and what a crash left."""
    names = [name for name in os.listdir(base) if name != version]
    whole = [name for name in names if not name.startswith(".")]
    whole.sort(key=lambda name: os.lstat(os.path.join(base, name)).st_mtime)
    for name in [*whole[: max(0, len(whole) - KEPT + 1)], *(set(names) - set(whole))]:
        path = os.path.join(base, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
