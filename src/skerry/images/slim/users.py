"""Who a program of an image runs as: names and numbers, by the image's own files.

Source: OCI Image Configuration, ``User``; passwd(5) and group(5).
"""

from __future__ import annotations

from skerry.errors import ImageFailed
from skerry.images.slim.root import Root


def find_user(root: Root, words: str) -> tuple[int, int, tuple[int, ...]]:
    """The numbers of user and group, and of further groups, for ``user``, ``user:group`` or "".

    Raises `ImageFailed` for a name that the image does not know.
    """
    name, _, group_name = words.partition(":")
    if not name:
        return 0, 0, ()
    entry = next((row for row in _rows(root, "/etc/passwd", 7) if name in (row[0], row[2])), None)
    if entry is None and not name.isdigit():
        raise ImageFailed(f"the image's user {name!r} is not in its /etc/passwd")
    user = int(entry[2]) if entry is not None else int(name)
    groups = list(_rows(root, "/etc/group", 4))
    further = tuple(
        int(row[2]) for row in groups if entry is not None and entry[0] in row[3].split(",")
    )
    if group_name:
        return user, _find_group(groups, group_name), ()
    return user, int(entry[3]) if entry is not None else 0, further


def _find_group(groups: list[list[str]], name: str) -> int:
    for row in groups:
        if row[0] == name:
            return int(row[2])
    if not name.isdigit():
        raise ImageFailed(f"the image's group {name!r} is not in its /etc/group")
    return int(name)


def _rows(root: Root, path: str, fields: int) -> list[list[str]]:
    lines = root.read(path).decode(errors="replace").splitlines()
    rows = [line.split(":") for line in lines]
    return [row for row in rows if len(row) >= fields and row[2].isdigit()]
