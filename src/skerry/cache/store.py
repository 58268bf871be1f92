"""The state of the operator's image store, as far as files tell.

Source: containers/storage writes ``GRAPHROOT/DRIVER-images/images.json`` anew on every change of
the store; ``storage.conf`` and ``registries.conf`` decide which store it is and what short names
mean (containers-storage.conf(5), containers-registries.conf(5)).
"""

from __future__ import annotations

import os

# Not from `typing`, which takes longer to import than all that is done here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = ("storage.conf", "registries.conf")
_SETTING_FOLDERS = ("/usr/share/containers", "/etc/containers", "~/.config/containers")
_SETTING_DROP_INS = ("/etc/containers/registries.conf.d", "~/.config/containers/registries.conf.d")
_VARIABLES = (
    "CONTAINERS_REGISTRIES_CONF", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER", "STORAGE_OPTS",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME",
)  # fmt: skip
# With one of these, images are on another machine, and no file here tells of their changes.
_REMOTE = ("CONTAINER_HOST", "CONTAINER_CONNECTION")


def is_local() -> bool:
    """Whether Podman's images are on this machine."""
    return not any(os.environ.get(name) for name in _REMOTE)


def read_files(graph_root: str) -> dict[str, tuple[int, int, int]]:
    """Inode, time of change in nanoseconds and size of each file that decides on the images."""
    files = {}
    for path in _watched(graph_root):
        try:
            status = os.stat(path)
        except OSError:
            continue
        files[path] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return files


def read_variables() -> dict[str, str]:
    """The variables that decide which store it is."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ}


def state_of(graph_root: str) -> list[object]:
    """All that decides on the images, as JSON has it: the store's place, the user, `read_variables`
    and `read_files`. As long as it is the same Podman has the same images."""
    files = {path: list(status) for path, status in read_files(graph_root).items()}
    return [graph_root, os.getuid(), read_variables(), files]


def _watched(graph_root: str) -> Iterator[str]:
    for folder in _SETTING_FOLDERS:
        for name in _SETTINGS:
            yield os.path.join(os.path.expanduser(folder), name)
    for folder in _SETTING_DROP_INS:
        for name in _names_in(os.path.expanduser(folder)):
            if name.endswith(".conf"):
                yield os.path.join(os.path.expanduser(folder), name)
    for name in _names_in(graph_root):
        if name.endswith("-images"):
            yield os.path.join(graph_root, name, "images.json")


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
