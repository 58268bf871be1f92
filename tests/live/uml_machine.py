"""A machine with a kernel of its own, user-mode Linux: where limits of memory and CPU bite.

The nodes of a lab share this computer's kernel, and where that has no cgroup controllers to give
them, a limit is on paper there. Such a machine boots from the lab's own Debian in about five
seconds, runs one script and is off again. It has no network: what it is given and what it tells
are disks, tar archives without a file system.

The kernel is the file that SKERRY_UML_KERNEL names, else ``linux-uml`` in the lab's cache (made
of ``shared/lab/linux-*-uml.zst`` beside the checkout where that is), else ``linux.uml`` of the
Debian package user-mode-linux; 6.1 of Debian 12 does not run on processors with AMX. Source:
"User Mode Linux HOWTO" of the kernel's documentation.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skerry.edge.run import Command, run
from skerry.lab import Lab
from skerry.lab.places import held
from skerry.lab.root import WARM

ROOT = Path(__file__).parents[2]
_REVISION = 1
_IMAGE_BYTES = 4 << 30
_TOLD_BYTES = 1 << 20
_LEFT_OUT = ("./var/cache/apt/archives", "./usr/share/doc", "./usr/share/locale")
# After multi-user.target, and so with everything that a node has at rest.
_UNIT = """\
[Unit]
Description=What a test wants to run
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mkdir /run/given && tar -C /run/given -xf /dev/ubdb && cd /run/given && \
sh ./script >/run/told 2>&1; cat /run/told >/dev/ubdc; sync; systemctl poweroff -ff'
TimeoutStartSec=infinity
"""
# Whatever becomes of us, no process of the machine stays.
_CONTAINED = (
    "setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip


def find_kernel(lab: Lab) -> Path | None:
    """The kernel to use, or None where there is none."""
    named = os.environ.get("SKERRY_UML_KERNEL")
    installed = shutil.which("linux.uml")
    found = [named, _unpacked_kernel(lab.places.cache / "linux-uml"), installed]
    return next((Path(one) for one in found if one and Path(one).is_file()), None)


def _unpacked_kernel(cached: Path) -> Path:
    """The cached kernel, unpacked from beside the checkout if it is there and not yet cached."""
    packed = sorted(ROOT.parent.glob("shared/lab/linux-*-uml.zst"))
    if packed and not cached.exists():
        import zstandard

        with held(cached.with_name("uml.lock")):
            unfinished = cached.with_suffix(".new")
            with packed[-1].open("rb") as source, unfinished.open("wb") as target:
                zstandard.ZstdDecompressor().copy_stream(source, target)
            unfinished.chmod(0o555)
            unfinished.rename(cached)
    return cached


def build_image(lab: Lab) -> Path:
    """The disk image of the lab's root with Podman, built if it is not there."""
    root = lab.storage.roots(print).ensure(WARM)
    image = lab.places.cache / f"uml-{root.name}-{_REVISION}.img"
    with held(lab.places.cache / "uml.lock"):
        if not image.exists():
            for old in lab.places.cache.glob("uml-*.img"):
                old.unlink()
            unfinished = image.with_suffix(".new")
            with unfinished.open("wb") as file:
                file.truncate(_IMAGE_BYTES)
            run(Command.of("mkfs.btrfs", "-q", "-f", unfinished))
            with _mounted(unfinished, lab.places.cache / "uml.mount") as place:
                _fill(root, place)
            unfinished.rename(image)
    return image


@contextmanager
def _mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    run(Command.of("mount", "-o", "loop", image, place))
    try:
        yield place
    finally:
        run(Command.of("umount", place))
        place.rmdir()


def _fill(root: Path, place: Path) -> None:
    skipped = " ".join(f"--exclude={path}" for path in _LEFT_OUT)
    copy = f'tar -C "$1" {skipped} -cf - . | tar -C "$2" -xf -'
    run(Command.of("sh", "-c", copy, "sh", root, place))
    units = place / "etc/systemd/system"
    (units / "given.service").write_text(_UNIT)
    (units / "multi-user.target.wants/given.service").symlink_to("../given.service")
    for name in ("subuid", "subgid"):
        with (place / "etc" / name).open("a") as file:
            file.write("containers:2147483647:2147483648\n")
    modules = Path("/usr/lib/uml/modules")
    if modules.is_dir():
        shutil.copytree(modules, place / "usr/lib/modules", dirs_exist_ok=True)


def run_machine(
    kernel: Path, image: Path, folder: Path, files: dict[str, bytes], *, megabytes: int = 512
) -> str:
    """Boots a machine with so much memory, which runs the file ``script``; what that printed.

    `files` are by path in the folder in which it runs; `folder` is for the machine's disks.
    Raises `AssertionError` with the end of the console where nothing came back; skips the test
    where the kernel cannot run here at all.
    """
    with tarfile.open(folder / "given.tar", "w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    told = folder / "told.img"
    with told.open("wb") as file:
        file.truncate(_TOLD_BYTES)
    words = [
        f"mem={megabytes}M", f"ubd0={folder / 'changes'},{image}", f"ubd1={folder / 'given.tar'}",
        f"ubd2={told}", "root=/dev/ubda", "rootfstype=btrfs", "rw", "con=null",
        "con0=null,fd:1", "ssl=null", "systemd.gpt_auto=0", "seccomp=on",
    ]  # fmt: skip
    # The machine's memory is a file there.
    command = Command.of(*_CONTAINED, kernel, *words, TMPDIR="/dev/shm")
    console = run(command, check=False, timeout=180).text
    text = told.read_bytes().rstrip(b"\0").decode()
    if not text and "Attempted to kill init" in console:
        pytest.skip(f"{kernel} runs no process on this computer's processor")
    assert text, f"the machine told nothing; its console: {console[-3000:]}"
    return text
