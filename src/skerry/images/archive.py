"""An image as one file: written so that the same content always gives the same image id.

Source: OCI Image Layout Specification 1.0 and OCI Image Configuration (image-spec), as the tar
that ``podman load`` takes. An image's id is the SHA-256 of its configuration, which holds the
digests of the uncompressed layers.
"""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

_CHUNK = 1 << 20
_EPOCH = "1970-01-01T00:00:00Z"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_NAME = "org.opencontainers.image.ref.name"
# Go's names, which image configurations use, by the kernel's.
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "i686": "386",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


class Entry(msgspec.Struct, frozen=True):
    """One file of a layer, owned by root and as old as time: its content, or where it links to."""

    content: bytes = b""
    mode: int = 0o644
    link: str | None = None


def write_layer(path: Path, entries: Mapping[str, Entry]) -> None:
    """Writes a layer (an uncompressed tar) of files by their path without a leading ``/``.

    Names that end with ``/`` are folders. Folders that are not named are made by whoever unpacks.
    """
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, entry in sorted(entries.items()):
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = entry.mode
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            elif entry.link is not None:
                member.type = tarfile.SYMTYPE
                member.linkname = entry.link
            else:
                member.size = len(entry.content)
            tar.addfile(member, io.BytesIO(entry.content))


def write_archive(
    path: Path,
    layers: Sequence[Path],
    reference: str,
    *,
    config: Mapping[str, Any] | None = None,
) -> str:
    """Writes an image and returns its id (64 hexadecimal digits).

    ``podman load`` gives it the name `reference`, which needs its tag. `layers` are uncompressed
    tars for this machine's architecture, the lowest first; `config` is the ``config`` object of
    the image configuration (``Cmd``, ``Env``, ``Labels``, ...).
    """
    digests = [read_digest(layer) for layer in layers]
    history = {"created": _EPOCH, "created_by": "skerry"}
    configuration = {
        "architecture": architecture_here(),
        "config": dict(config or {}),
        "created": _EPOCH,
        "history": [history for _ in layers],
        "os": "linux",
        "rootfs": {"diff_ids": [f"sha256:{digest}" for digest in digests], "type": "layers"},
    }
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for layer, digest in zip(layers, digests, strict=True):
            member = tarfile.TarInfo(f"blobs/sha256/{digest}")
            member.size = layer.stat().st_size
            with layer.open("rb") as file:
                tar.addfile(member, file)
        configured = _add_blob(tar, configuration, _CONFIG)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": configured,
            "layers": [
                {
                    "mediaType": _LAYER,
                    "digest": f"sha256:{digest}",
                    "size": layer.stat().st_size,
                }
                for layer, digest in zip(layers, digests, strict=True)
            ],
        }
        described = _add_blob(tar, manifest, _MANIFEST)
        index = {
            "schemaVersion": 2,
            "manifests": [{**described, "annotations": {_NAME: reference}}],
        }
        _add(tar, "index.json", _encode(index))
        _add(tar, "oci-layout", _encode({"imageLayoutVersion": "1.0.0"}))
    return str(configured["digest"]).removeprefix("sha256:")


def architecture_here() -> str:
    """This machine's architecture as images name it (``amd64``)."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def read_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _add_blob(tar: tarfile.TarFile, content: Mapping[str, Any], media_type: str) -> dict[str, Any]:
    """Adds a JSON blob under its digest and returns its OCI descriptor."""
    encoded = _encode(content)
    digest = hashlib.sha256(encoded).hexdigest()
    _add(tar, f"blobs/sha256/{digest}", encoded)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(encoded)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _encode(content: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(content, order="sorted")
