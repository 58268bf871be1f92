"""A value in an editor, in a file that is never on a disk and never stays."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from pathlib import Path

from skerry.edge.run import PIPE, Command, start
from skerry.errors import UsageError
from skerry.model.secret_value import SecretValue

_MEMORY = ("tmpfs", "ramfs")
# Ends with this process, whatever ends it: then the pipe closes and the folder goes.
_WATCH = 'read -r _; rm -rf -- "$1"'


def edit_value(name: str, value: SecretValue) -> SecretValue:
    """What the operator makes of the value in ``$VISUAL`` or ``$EDITOR``.

    A newline that editors put after a single line is left out unless it was there. Raises
    UsageError where there is no memory file system, or the editor failed.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    folder = Path(tempfile.mkdtemp(prefix="skerry-", dir=memory_folder()))
    watching = start(
        Command(("/bin/sh", "-c", _WATCH, "sh", str(folder))), stdin=PIPE, new_session=True
    )
    try:
        path = folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(value.reveal())
        status = start(Command((*shlex.split(editor), str(path))), stdin=None).wait()
        if status != 0:
            raise UsageError(f"the editor ended with status {status}: nothing was changed")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise UsageError("the editor removed the file: nothing was changed") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if watching.stdin is not None:
            watching.stdin.close()
        watching.wait()
    is_line = content.endswith(b"\n") and content.count(b"\n") == 1
    if is_line and not value.reveal().endswith(b"\n"):
        content = content[:-1]
    return SecretValue(content)


def memory_folder() -> Path:
    """A folder of a file system in memory that we may write. Raises UsageError without one."""
    mounts = read_mounts(Path("/proc/self/mounts").read_text())
    candidates = [os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}", "/dev/shm"]
    for candidate in candidates:
        if candidate and os.access(candidate, os.W_OK | os.X_OK) and is_memory(candidate, mounts):
            return Path(candidate)
    raise UsageError(
        "there is no file system in memory (tmpfs) for the editor's file",
        hint="`skerry secret get NAME | ... | skerry secret set NAME` needs none",
    )


def read_mounts(text: str) -> dict[str, str]:
    """The types of file systems by where they are mounted (proc(5)); of several, the last."""
    rows = [line.split(" ") for line in text.splitlines()]
    return {row[1].replace("\\040", " "): row[2] for row in rows if len(row) > 2}


def is_memory(folder: str, mounts: dict[str, str]) -> bool:
    """Whether what is written below a folder stays in memory."""
    path = Path(os.path.realpath(folder))
    for above in (path, *path.parents):
        if str(above) in mounts:
            return mounts[str(above)] in _MEMORY
    return False
