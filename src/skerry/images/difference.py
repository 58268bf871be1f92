"""What one root file system has that another has not, as a layer on top of it.

Source: OCI Image Layer Filesystem Changeset (image-spec): changed and new entries whole, an empty
``.wh.NAME`` for what is gone.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

_WHITEOUT = ".wh."

# Type, mode, owner, group, link, device, extended attributes, digest of the content. No time:
# it says nothing where all are set to the same.
_Signature = tuple[Any, ...]


def write_difference(old: Path, new: Path, target: Path) -> None:
    """Writes the layer that turns the root in `old` into the one in `new`; all are plain tars.

    Every folder above a change is in it too: whoever unpacks a layer would else make one with
    default modes, which then hides the mode it has below.
    """
    with tarfile.open(old, "r:") as old_tar, tarfile.open(new, "r:") as new_tar:
        before = dict(_signatures(old_tar))
        after = dict(_signatures(new_tar))
        changed = {name for name, signature in after.items() if before.get(name) != signature}
        gone = before.keys() - after.keys()
        # Of a folder that is gone only itself is named, not what was in it.
        gone = {name for name in gone if not any(parent in gone for parent in _parents(name))}
        above = {parent for name in changed | gone for parent in _parents(name)}
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as layer:
            for member in new_tar:
                name = _normal(member.name)
                if name in changed or name in above:
                    _copy(new_tar, member, layer, has_target=_normal(member.linkname) in changed)
            for name in sorted(gone):
                path = PurePosixPath(name)
                layer.addfile(tarfile.TarInfo(str(path.with_name(_WHITEOUT + path.name))))


def _copy(
    source: tarfile.TarFile, member: tarfile.TarInfo, layer: tarfile.TarFile, *, has_target: bool
) -> None:
    """Copies one entry; a hard link to a file of the layer below becomes a file of its own."""
    member.name = _normal(member.name)
    content: IO[bytes] | None = None
    if member.islnk():
        if has_target:
            member.linkname = _normal(member.linkname)
        else:
            linked = source.getmember(_written(source, member.linkname))
            content = source.extractfile(linked)
            member.type, member.size, member.linkname = tarfile.REGTYPE, linked.size, ""
    elif member.isreg():
        content = source.extractfile(member)
    layer.addfile(member, content)


def _signatures(tar: tarfile.TarFile) -> Iterator[tuple[str, _Signature]]:
    for member in tar:
        digest = b""
        if member.isreg():
            file = cast(IO[bytes], tar.extractfile(member))
            digest = hashlib.sha256(file.read()).digest()
        attributes = tuple(
            sorted(item for item in member.pax_headers.items() if item[0].startswith("SCHILY"))
        )
        yield (
            _normal(member.name),
            (
                member.type,
                member.mode,
                member.uid,
                member.gid,
                _normal(member.linkname) if member.islnk() else member.linkname,
                (member.devmajor, member.devminor),
                attributes,
                digest,
            ),
        )


def _written(tar: tarfile.TarFile, name: str) -> str:
    """The name that the tar itself uses for an entry."""
    names = set(tar.getnames())
    return next(form for form in (name, f"./{_normal(name)}", _normal(name)) if form in names)


def _normal(name: str) -> str:
    return str(PurePosixPath(name))


def _parents(name: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(name).parents]
