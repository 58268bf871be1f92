"""Where the cloud folder is. Imports nothing but `os`: it is asked before all else is loaded."""

from __future__ import annotations

import os

CLOUD_FILE = "cloud.yaml"
# What `-C` is where it is not given, and how people write that.
_HERE = ("", ".", "./")


def try_find_folder(start: str) -> str | None:
    """The cloud folder, absolute: `start` itself, or for ``.`` its nearest parent that is one.

    None where there is no ``cloud.yaml``.
    """
    try:
        here = os.getcwd()
    except OSError:
        return None
    folder = here if start in _HERE else os.path.join(here, start).rstrip("/") or "/"
    while not os.path.exists(os.path.join(folder, CLOUD_FILE)):
        above = os.path.dirname(folder)
        if start not in _HERE or above == folder:
            return None
        folder = above
    return folder
