"""Records that only Skerry can have written for this operator: JSON under a seal.

The seal is a hash that is keyed with a random key. The key lies outside of the cloud folder, in
``$XDG_CACHE_HOME/skerry/key``, for the operator alone: a record that came with somebody's cloud
folder, was cut off, or was changed is as good as none; and who has a copy of the folder alone
cannot test guesses of what a hash in a record was made of.
"""

from __future__ import annotations

import json
import os
import stat

try:
    # What hashlib has it from; hashlib itself loads OpenSSL, which takes as long as all the rest.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CACHE = ".skerry"
LIMIT = 4 * 1024 * 1024
"""A record that would be larger is not kept, in bytes."""

_KEY_BYTES = 32
_SEAL_DIGITS = 32
# What is left of a writer whose number another process has by now is removed once it is so old,
# in seconds.
_STALE = 600


def key_path() -> str:
    """Where the operator's key lies."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(folder, "skerry", "key")


def try_read_key() -> bytes | None:
    """The operator's key; None where there is none, or others may read it."""
    try:
        descriptor = os.open(key_path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            return None
        key = os.read(descriptor, _KEY_BYTES + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return key if len(key) == _KEY_BYTES else None


def try_make_key() -> bytes | None:
    """The operator's key, made if there is none; None where none can be kept."""
    key = try_read_key()
    if key is not None:
        return key
    path = key_path()
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    except OSError:
        return None
    # Of two processes at once one has its key replaced: what it wrote is made again.
    return try_read_key() if _replace(path, os.urandom(_KEY_BYTES)) else None


def try_read_record(path: str, key: bytes) -> Any:
    """What `try_write_record` wrote with the same key; None where there is no such record."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read(LIMIT + 1) or b""
    except OSError:
        return None
    seal, separator, body = content[:_SEAL_DIGITS], content[_SEAL_DIGITS:][:1], content[33:]
    if len(content) > LIMIT or separator != b"\n" or seal != _seal_of(body, key):
        return None
    # Whoever can make the seal is us: this is JSON that we wrote.
    return json.loads(body)


def try_write_record(path: str, record: Any, key: bytes) -> bool:
    """Keeps a record for the operator alone, in place of an older one; whether that was possible.

    The folder is made if need be, with a ``.gitignore`` of its own. Readers see the old record
    or the new one, never a part.
    """
    body = json.dumps(record, separators=(",", ":")).encode()
    content = _seal_of(body, key) + b"\n" + body
    return len(content) <= LIMIT and make_folder(os.path.dirname(path)) and _replace(path, content)


def make_folder(path: str) -> bool:
    """Makes the cache folder, which git leaves alone; whether it is there.

    A link in its place, which may have come with somebody's cloud folder, is not followed.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
    try:
        with open(os.path.join(path, ".gitignore"), "x") as file:
            file.write("*\n")
    except OSError:
        pass
    return True


def _seal_of(body: bytes, key: bytes) -> bytes:
    # `person` keeps this use of the key apart from others.
    made = blake2b(body, key=key, digest_size=_SEAL_DIGITS // 2, person=b"skerry record")
    return made.hexdigest().encode()


def _replace(path: str, content: bytes) -> bool:
    folder, name = os.path.split(path)
    # A name of its own for each writer: two at once never write into each other's file.
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(6).hex()}.new")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        _remove(temporary)
        return False
    _prune(folder, name)
    return True


def _prune(folder: str, name: str) -> None:
    """Removes what writers of this record left that were killed."""
    import time

    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                is_ours = entry.name.startswith(f".{name}.") and entry.name.endswith(".new")
                if not is_ours:
                    continue
                pid = entry.name[len(name) + 2 :].partition(".")[0]
                is_stale = entry.stat().st_mtime < time.time() - _STALE
                if is_stale or (pid.isdigit() and not _is_running(int(pid))):
                    _remove(entry.path)
    except OSError:
        pass


def _is_running(pid: int) -> bool:
    """Whether there is a process of this number; of another machine's nobody can know: its record
    is then made again."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
