"""Debian as the lowest layers of images: a minimal root, and packages on top of it.

The root is bootstrapped once and all images share it as their first layer; a set of packages is
installed into it in a copy, and what that changed is the second layer. Both are kept in the cache
folder. The same versions of the packages give the same layers, bit for bit.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from skerry.edge.paths import make_cache
from skerry.edge.run import Command, run
from skerry.errors import CommandMissing, ImageFailed
from skerry.images.archive import architecture_here, read_digest, write_archive
from skerry.images.difference import write_difference
from skerry.images.podman import try_inspect_id
from skerry.model.image import DEBIAN

REFERENCE = f"localhost/{DEBIAN}"
SUITE = "trixie"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a container has no use for; licences stay.
_WITHOUT = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
)
# What differs between two machines that build the same.
_OF_THE_BUILDER = (
    "etc/resolv.conf etc/hostname etc/apt/apt.conf.d/99mmdebstrap "
    "var/cache/debconf/*-old var/lib/dpkg/*-old"
)
# Settings of this machine's apt without which its mirror may not be usable.
_APT_SETTINGS = ("Acquire::Check-Valid-Until ", "Acquire::http::Proxy ", "Acquire::https::Proxy ")
_REVISION = 1
"""Raised when the way of building changes in a manner that the recipe does not show."""


class Debian:
    """The Debian layers on this machine, made where they are not there or where fresh are wanted.

    `say` is told what takes long.
    """

    def __init__(
        self,
        cache: Path,
        *,
        wants_fresh_root: bool = False,
        wants_fresh_packages: bool = False,
        say: Callable[[str], None],
    ) -> None:
        self.cache = cache
        self.wants_fresh_root = wants_fresh_root
        self.wants_fresh_packages = wants_fresh_packages
        self.say = say

    def ensure(self, packages: Sequence[str] = ()) -> tuple[str, str]:
        """An image of Debian with these packages in the store: its name and its id.

        Raises `ImageFailed` when Debian's packages cannot be had, `CommandMissing` without
        mmdebstrap or Podman.
        """
        with self._held():
            base, digest = self._ensure_root()
            layers, tag = [base], "latest"
            if packages:
                key = _short_digest([digest, sorted(set(packages))])
                tag = f"with-{key}"
                layers.append(self._ensure_packages(base, sorted(set(packages)), key))
            return self._ensure_image(layers, f"{REFERENCE}:{tag}")

    def _ensure_root(self) -> tuple[Path, str]:
        """The tar of the minimal root, and its digest."""
        name = _short_digest([SUITE, architecture_here(), _WITHOUT, _OF_THE_BUILDER, _REVISION])
        root = self.cache / f"root-{name}.tar"
        noted = root.with_suffix(".sha256")
        if self.wants_fresh_root or not noted.exists() or not root.exists():
            self.say(f"bootstrapping Debian {SUITE} (kept for later builds)")
            before = noted.read_text() if noted.exists() else ""
            # Until the new root is noted, none is: an interrupted run leaves no wrong digest.
            noted.unlink(missing_ok=True)
            self._bootstrap(root, "--variant=minbase")
            digest = read_digest(root)
            if digest != before:
                # Layers of packages on top of another root are of no use any more.
                for path in self.cache.glob("packages-*"):
                    path.unlink()
            noted.write_text(digest)
        return root, noted.read_text()

    def _ensure_packages(self, root: Path, packages: list[str], key: str) -> Path:
        """The layer that installing the packages into the root makes."""
        layer = self.cache / f"packages-{key}.tar"
        if layer.exists() and not self.wants_fresh_packages:
            return layer
        self.say(f"installing {', '.join(packages)}")
        whole, unfinished = self.cache / ".whole.tar", self.cache / ".layer.tar"
        try:
            self._bootstrap(
                whole,
                "--variant=custom",
                "--skip=update,check/empty",
                f"--setup-hook=tar-in {root} /",
                '--customize-hook=chroot "$1" apt-get -q update',
                '--customize-hook=chroot "$1" apt-get -q -y --no-install-recommends install '
                + " ".join(packages),
            )
            write_difference(root, whole, unfinished)
            unfinished.rename(layer)
        finally:
            whole.unlink(missing_ok=True)
            unfinished.unlink(missing_ok=True)
        return layer

    def _ensure_image(self, layers: list[Path], reference: str) -> tuple[str, str]:
        """The layers as an image in the operator's store."""
        noted = layers[-1].with_suffix(".image")
        stamp = [[path.name, path.stat().st_mtime_ns] for path in layers]
        if noted.exists():
            known, image_id = msgspec.json.decode(noted.read_bytes())
            if known == stamp and try_inspect_id(reference) == image_id:
                return reference, str(image_id)
        archive = self.cache / ".image.tar"
        try:
            image_id = write_archive(
                archive, layers, reference, config={"Cmd": ["/bin/sh"], "Env": [f"PATH={_PATH}"]}
            )
            run(Command.of("podman", "load", "--quiet", "--input", archive))
        finally:
            archive.unlink(missing_ok=True)
        noted.write_bytes(msgspec.json.encode([stamp, image_id]))
        return reference, image_id

    def _bootstrap(self, target: Path, *words: str) -> None:
        """Runs mmdebstrap with these further words; the tar is there whole or not at all."""
        unfinished = target.with_name(f".unfinished-{target.name}")
        options = [f"--aptopt={option}" for option in _read_apt_settings()]
        options += ['--aptopt=Acquire::Languages "none"']
        options += [f"--dpkgopt={option}" for option in _WITHOUT]
        command = Command.of(
            "mmdebstrap", "--quiet", "--format=tar", *options, *words,
            f'--customize-hook=cd "$1" && rm -f {_OF_THE_BUILDER}',
            SUITE, unfinished,
            SOURCE_DATE_EPOCH="0", LC_ALL="C.UTF-8",
        )  # fmt: skip
        # From the root: inside its chroot, mmdebstrap wants to return to where it was started.
        command = msgspec.structs.replace(command, cwd="/")
        try:
            built = run(command, check=False)
            if built.status != 0:
                raise ImageFailed(
                    f"mmdebstrap could not build the Debian {SUITE} root for images",
                    detail=_last_lines(built.error_text or built.text),
                    hint="are the packages' names right, and does `apt-get update` work here?",
                )
            unfinished.rename(target)
        except CommandMissing:
            raise CommandMissing(
                "mmdebstrap is not installed, and builds the Debian base of images",
                hint="apt install mmdebstrap",
            ) from None
        finally:
            unfinished.unlink(missing_ok=True)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Waits for another build on this machine, so that both use one root."""
        make_cache(self.cache)
        with (self.cache / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _read_apt_settings() -> list[str]:
    shown = run(Command.of("apt-config", "dump"), check=False).text.splitlines()
    return [line for line in shown if line.startswith(_APT_SETTINGS)]


def _short_digest(content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:12]


def _last_lines(text: str, count: int = 30) -> str:
    return "\n".join(text.splitlines()[-count:])
