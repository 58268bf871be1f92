"""Images, root file systems and OCI bundles of the paths that a closure keeps."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import ImageFailed
from skerry.images.archive import write_archive
from skerry.images.slim.closure import Closure
from skerry.images.slim.layer import write_layer_of
from skerry.images.slim.root import DiskRoot
from skerry.images.slim.spec import Spec

# Linux allocated devices (Documentation/admin-guide/devices.txt).
_DEVICES = {
    "null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
    "tty": (5, 0),
}  # fmt: skip
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Made(msgspec.Struct, frozen=True):
    """What was made: a folder or an image, with how many paths, and the bytes of its files."""

    target: str
    files: int
    size: int
    id: str = ""


def build_image(closure: Closure, spec: Spec, name: str) -> Made:
    """The image ``localhost/NAME`` in the operator's store, which runs the spec's command."""
    reference = f"localhost/{name}"
    with tempfile.TemporaryDirectory(prefix="skerry-spec-") as folder:
        layer, archive = Path(folder) / "layer.tar", Path(folder) / "image.tar"
        size = _write(closure, layer)
        config = {"Env": [_PATH], **({"Cmd": list(spec.command)} if spec.command else {})}
        tag = reference if ":" in name else f"{reference}:latest"
        image_id = write_archive(archive, [layer], tag, config=config)
        run(Command.of("podman", "load", "--quiet", "--input", archive))
    return Made(reference, len(closure.kept), size, image_id)


def build_root(closure: Closure, folder: Path) -> Made:
    """The root file system in a folder, which must be empty or not there."""
    _raise_unless_new(folder)
    with tempfile.TemporaryDirectory(prefix="skerry-spec-") as name:
        layer = Path(name) / "layer.tar"
        size = _write(closure, layer)
        folder.mkdir(parents=True, exist_ok=True)
        unpack = Command.of(
            "tar", "--extract", "--file", layer, "--directory", folder, "--numeric-owner",
            "--same-permissions", "--xattrs", "--xattrs-include=*", "--delay-directory-restore",
        )  # fmt: skip
        run(unpack)
    _make_devices(folder / "dev")
    return Made(str(folder), len(closure.kept), size)


def build_bundle(closure: Closure, spec: Spec, folder: Path) -> Made:
    """An OCI bundle: ``rootfs`` and the ``config.json`` that runs the spec's command in it.

    Source: OCI Runtime Specification 1.0, "Configuration".
    """
    if not spec.command:
        raise ImageFailed(
            "the spec names no command, and a bundle runs one",
            hint='a line of the spec: # command: ["perl", "-v"]',
        )
    _raise_unless_new(folder)
    made = build_root(closure, folder / "rootfs")
    (folder / "config.json").write_text(json.dumps(_configuration(spec), indent=1) + "\n")
    return msgspec.structs.replace(made, target=str(folder))


def _make_devices(folder: Path) -> None:
    """The devices without which little runs in a chroot; a container's runtime makes its own."""
    if os.geteuid() != 0:
        return
    folder.mkdir(exist_ok=True)
    for name, number in _DEVICES.items():
        place = folder / name
        if not place.exists():
            os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(*number))
            # Whatever the umask says.
            place.chmod(0o666)


def _write(closure: Closure, layer: Path) -> int:
    assert isinstance(closure.root, DiskRoot)
    return write_layer_of(closure.root, closure.kept, layer)


def _raise_unless_new(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ImageFailed(f"{folder} is there already", hint="name a new or an empty folder")


def _configuration(spec: Spec) -> dict[str, object]:
    capabilities = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
        "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
        "CAP_SYS_CHROOT",
    ]  # fmt: skip
    sets = ("bounding", "effective", "permitted")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "args": list(spec.command),
            "cwd": "/",
            "env": [_PATH],
            "user": {"uid": 0, "gid": 0},
            "capabilities": dict.fromkeys(sets, capabilities),
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
        ],
        "linux": {
            "namespaces": [{"type": one} for one in ("pid", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"],
        },
    }
