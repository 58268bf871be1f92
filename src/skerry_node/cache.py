"""Answers that are good for as long as some files stay the same, kept until the next boot."""

from __future__ import annotations

import os

from skerry_node.basics import dump
from skerry_node.durable import try_read_json, try_unlink
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Sequence

    from skerry_node.host import Host

    Key = List[Any]


def key_of(paths: Sequence[str]) -> Key:
    """What changes when one of the files does."""
    key: Key = []
    for path in paths:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            key.append([path])
        else:
            key.append([path, status.st_ino, status.st_mtime_ns, status.st_size])
    return key


def try_recall(host: Host, name: str, key: Key) -> Optional[Any]:
    """The answer that was kept under this key; None if there is none."""
    try:
        kept = try_read_json(host.volatile_path(name))
    except (NodeFault, OSError):
        return None
    return kept.get("answer") if isinstance(kept, dict) and kept.get("key") == key else None


def keep(host: Host, name: str, key: Key, answer: Any) -> None:
    """Keeps an answer; not synced, because a reboot empties the folder anyway."""
    try:
        path = host.volatile_path(name)
        temporary = "%s.%d" % (path, os.getpid())
        try:
            with open(temporary, "wb") as file:
                file.write(dump({"key": key, "answer": answer}))
            os.rename(temporary, path)
        except OSError:
            try_unlink(temporary)
    except OSError:
        # Without it the next exchange is slower, and that is all.
        return
