"""The node program as one archive: the same bytes for the same sources, put on a node at need.

The archive is a zip file of the condensed sources. It holds them as they are and is compressed as
a whole for the way (bzip2): packed one by one, small files take twice as much.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path
from threading import Lock

from skerry_node import wire

FOLDER = f"{wire.STATE_FOLDER}/program"
_SOURCES = Path(wire.__file__).parent
# What they are made into on the way is a part of the version.
_CONDENSER = Path(__file__).with_name("condense.py")
# RHEL 8 calls its 3.6 python3, and has later ones beside it under their own names.
_OTHER_PYTHONS = tuple(f"/usr/bin/python3.{minor}" for minor in (13, 12, 11, 10, 9))
_PYTHONS = " ".join(("/usr/bin/python3", "/usr/local/bin/python3", *_OTHER_PYTHONS))

# Both snippets stand between single quotes, so they hold none; the login shell may be any, and
# csh does not take a line break there. An old Python, down to 3.6, must be able to read the start
# of the second: it looks for a newer one and becomes that, with the words it was called with.
# -I and -S: nothing of the node's own Python set-up is loaded, which saves a third of the start.
# `test -O /`: whether we are root, without another process.
_AS_ROOT = (
    f'test -O / || s="sudo -n"; for p in {_PYTHONS}; do test -x $p && exec $s $p -I -S -c "$@"; '
    f"done; exit {wire.PYTHON_MISSING}"
)
_NEW_ENOUGH = (
    "import os,sys;from os import path;"
    "sys.version_info<(3,9) and ["
    'os.execv(p,[p]+open("/proc/self/cmdline").read().split(chr(0))[1:-1]) '
    f"for p in {_OTHER_PYTHONS!r} if os.access(p,os.X_OK)]+[os._exit({wire.PYTHON_TOO_OLD})];"
).replace("'", '"')
_RUN = (
    _NEW_ENOUGH
    # A damaged file of the program is as good as a missing one: it is installed again.
    + f"sys.excepthook=lambda*_:os._exit({wire.PROGRAM_MISSING});"
    f"path.isdir(sys.argv[1]) or os._exit({wire.PROGRAM_MISSING});sys.path.insert(0,sys.argv[1]);"
    "from skerry_node.__main__ import main;os._exit(main())"
)
_INSTALL = (
    _NEW_ENOUGH + "import importlib.util as u;"
    f'u.find_spec("_bz2") or os._exit({wire.UNPACKER_MISSING});import bz2;'
    'os.umask(63);d=sys.argv[1];f=path.join(d,".%d.zip"%os.getpid());'
    # A full disk is said in its own words, and half an archive does not stay there.
    "sys.excepthook=lambda t,e,_:(path.exists(f) and os.unlink(f),print(e,file=sys.stderr));"
    "c=bz2.decompress(sys.stdin.buffer.read());os.makedirs(d,exist_ok=True);"
    'open(f,"wb").write(c);sys.path.insert(0,f);'
    "from skerry_node.install import main;sys.exit(main(f,*sys.argv[2:]))"
)
_packing = Lock()


def build() -> bytes:
    """The archive as it is sent: packed. Equal sources give equal bytes, on any machine."""
    with _packing:
        return _build()[0]


@cache
def digest() -> str:
    """The program's version, 32 hexadecimal digits: a digest of its sources.

    Of the sources and not of the archive: it is needed by every exchange, the archive once per
    node.
    """
    found = hashlib.sha256()
    for name, content in sorted({**_sources(), "": _CONDENSER.read_bytes()}.items()):
        found.update(b"%s\0%d\0" % (name.encode(), len(content)))
        found.update(content)
    return found.hexdigest()[:32]


def remote_command(version: str) -> str:
    """The shell command that runs this version on a node, with request and answer on its pipes.

    For what one more word does see `wire`. It ends with `wire.PROGRAM_MISSING`, `PYTHON_MISSING`
    or `PYTHON_TOO_OLD` where it cannot.
    """
    return f"exec sh -c '{_AS_ROOT}' skerry '{_RUN}' {FOLDER}/{version}"


def install_command(version: str) -> str:
    """The shell command that reads the archive from its standard input and installs it.

    It ends with `wire.UNPACKER_MISSING` where the node's Python cannot unpack it.
    """
    with _packing:
        return f"exec sh -c '{_AS_ROOT}' skerry '{_INSTALL}' {FOLDER} {version} {_build()[1]}"


@cache
def _build() -> tuple[bytes, str]:
    """The packed archive, and the digest of the archive before that."""
    import bz2
    import zipfile

    from skerry.edge.condense import condense

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(_sources().items()):
            # Both sides share it, but all that it adds to `basics` is for the type checker.
            if name != "skerry_node/wire.py":
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o100644 << 16
                # Or it says on which system it was made.
                entry.create_system = 3
                archive.writestr(entry, condense(content))
    content = buffer.getvalue()
    return bz2.compress(content), hashlib.sha256(content).hexdigest()


@cache
def _sources() -> dict[str, bytes]:
    return {f"skerry_node/{path.name}": path.read_bytes() for path in _SOURCES.glob("*.py")}
