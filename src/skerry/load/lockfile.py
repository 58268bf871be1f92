"""``cloud.lock``: read and written as JSON with sorted keys, so that git shows what changed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from skerry.compile.lock import Lock
from skerry.errors import CloudInvalid, MachineRefuses, Problem
from skerry.load.files import FileFault, read_limited, write_whole

NAME = "cloud.lock"
_HINT = "take the file's last good version from git, or delete it: it is made again"


def read_lock(folder: Path) -> Lock:
    """The lock of a cloud folder; an empty one where there is no file.

    Raises `CloudInvalid` when the file is not one that Skerry wrote.
    """
    try:
        content = read_limited(folder / NAME)
    except FileNotFoundError:
        return Lock()
    except FileFault as fault:
        raise CloudInvalid([Problem(NAME, 0, 0, str(fault), hint=_HINT)]) from None
    try:
        return msgspec.json.decode(content, type=Lock)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CloudInvalid([Problem(NAME, 0, 0, str(error), hint=_HINT)]) from None
    except RecursionError:
        raise CloudInvalid([Problem(NAME, 0, 0, "is nested too deeply", hint=_HINT)]) from None


def write_lock(folder: Path, lock: Lock) -> bool:
    """Writes the lock if it differs from the file; returns whether it did.

    Raises `MachineRefuses`; the old file is whole then.
    """
    content = msgspec.json.format(msgspec.json.encode(lock, order="sorted"), indent=2) + b"\n"
    path = folder / NAME
    if path.exists() and path.read_bytes() == content:
        return False
    try:
        write_whole(path, content)
    except OSError as error:
        raise MachineRefuses(
            f"{path} cannot be written: {error.strerror}",
            hint="what was done on the nodes is done; mend that, and the next `skerry apply` "
            "writes it",
        ) from None
    return True
