"""The root file system that all nodes start from: built once, then cached.

Two kinds. `plain` is what a vendor rents out: Debian with systemd, sshd and python3. `warm` has
in addition what bootstrap installs, for labs that want nodes in a second and not in a minute.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from skerry.edge.run import Command, run
from skerry.errors import LabError
from skerry.lab.places import held

PLAIN = "plain"
WARM = "warm"
SUITE = "trixie"
PLAIN_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "kmod", "openssh-server", "iproute2",
    "iputils-ping", "procps", "ca-certificates", "curl", "python3",
)  # fmt: skip
# What bootstrap installs on a node. Their packages lie in the plain root's cache, so that a
# bootstrap in the lab measures the installation and not the mirror.
WARM_PACKAGES = (
    "podman", "crun", "runc", "netavark", "aardvark-dns", "uidmap", "catatonit", "passt",
    "nftables", "xdelta3", "zstd", "sudo",
)  # fmt: skip

# Units that a rented host has no use for in a container, or that only cost time at boot.
_MASKED = (
    "getty.target", "console-getty.service", "systemd-networkd-wait-online.service",
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "systemd-hwdb-update.service",
    "systemd-firstboot.service", "ldconfig.service", "systemd-update-done.service",
    "systemd-journal-catalog-update.service", "systemd-pstore.service", "modprobe@.service",
    "systemd-network-generator.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
)  # fmt: skip
_NO_GENERATORS = (
    "systemd-bless-boot-generator", "systemd-cryptsetup-generator", "systemd-debug-generator",
    "systemd-fstab-generator", "systemd-getty-generator", "systemd-gpt-auto-generator",
    "systemd-hibernate-resume-generator", "systemd-integritysetup-generator",
    "systemd-rc-local-generator", "systemd-run-generator", "systemd-system-update-generator",
    "systemd-tpm2-generator", "systemd-veritysetup-generator", "systemd-ssh-generator",
)  # fmt: skip
_FILES = {
    "etc/machine-id": "",
    "etc/.updated": "",
    "var/.updated": "",
    "etc/ssh/sshd_config.d/50-vendor.conf": (
        "# As many vendors ship it.\n"
        "PermitRootLogin yes\n"
        "PasswordAuthentication yes\n"
        "UseDNS no\n"
        "MaxStartups 100\n"
        # All operators come from one address, the gateway's: one test's wrong password must
        # not lock the next test out.
        "PerSourcePenalties no\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\n"
    ),
    "etc/apt/apt.conf.d/00lab": (
        'APT::Keep-Downloaded-Packages "true";\nAcquire::Languages "none";\n'
    ),
}
# A process namespace that ends with us: a build whose `lab up` was killed must not go on.
_CONTAINED = (
    "setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip
_REVISION = 1
"""Raised when the way of building changes in a manner that the recipe does not show."""


class Recipe(msgspec.Struct, frozen=True):
    """All that decides what a root contains; another recipe is another root."""

    kind: str
    suite: str
    packages: tuple[str, ...]
    masked: tuple[str, ...]
    no_generators: tuple[str, ...]
    files: dict[str, str]
    apt_options: tuple[str, ...]
    revision: int

    @property
    def name(self) -> str:
        """The root's folder: its kind and the digest of the recipe."""
        digest = hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()
        return f"{self.kind}-{digest[:12]}"


def recipe_of(kind: str) -> Recipe:
    """The recipe of the kind `plain` or `warm` on this machine."""
    return Recipe(
        kind=kind,
        suite=SUITE,
        packages=PLAIN_PACKAGES + (WARM_PACKAGES if kind == WARM else ()),
        masked=_MASKED,
        no_generators=_NO_GENERATORS,
        files=_FILES,
        apt_options=_read_apt_options(),
        revision=_REVISION,
    )


def _read_apt_options() -> tuple[str, ...]:
    """Settings of this machine's apt without which its mirror cannot be used."""
    shown = run(Command.of("apt-config", "dump"), check=False).text.splitlines()
    return tuple(line for line in shown if line.startswith("Acquire::Check-Valid-Until "))


def mirror_hosts(root: Path) -> list[str]:
    """The hosts from which a node with this root fetches packages."""
    places = [root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")]
    text = "\n".join(place.read_text() for place in places if place.is_file())
    return sorted(set(re.findall(r"https?://([^/\s:]+)", text)))


class RootStore:
    """The cached roots. `make_folder` and `copy` say how the storage makes and clones one."""

    def __init__(
        self,
        folder: Path,
        cache: Path,
        *,
        make_folder: Callable[[Path], None],
        copy: Callable[[Path, Path], None],
        remove: Callable[[Path], None],
        is_used: Callable[[Path], bool],
        say: Callable[[str], None],
    ) -> None:
        self.folder = folder
        self.cache = cache
        self.make_folder = make_folder
        self.copy = copy
        self.remove = remove
        self.is_used = is_used
        self.say = say

    def ensure(self, kind: str) -> Path:
        """The root of `kind`, built if it is not there; two callers at once build one."""
        recipe = recipe_of(kind)
        root = self.folder / recipe.name
        if not root.is_dir():
            with held(self.cache / "build.lock"):
                if not root.is_dir():
                    self._remove_old()
                    self._build(recipe, root)
        os.utime(root)
        return root

    def _remove_old(self) -> None:
        """Removes roots of other recipes that nobody has used for a week."""
        for root in self.folder.glob("*-*"):
            age = time.time() - root.stat().st_mtime
            if age > 7 * 86400 and not self.is_used(root):
                self.remove(root)

    def _build(self, recipe: Recipe, root: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Under another name until it is whole; whoever was interrupted left his here.
        for leftover in self.folder.glob(".building-*"):
            self.remove(leftover)
        unfinished = self.folder / f".building-{recipe.name}"
        try:
            if recipe.kind == WARM:
                plain = self.folder / recipe_of(PLAIN).name
                if not plain.is_dir():
                    self._build(recipe_of(PLAIN), plain)
                self.say("installing Podman into the warm root (once, about half a minute)")
                self.copy(plain, unfinished)
                _install(unfinished, recipe.packages)
            else:
                self.say(f"building a Debian {recipe.suite} root (once, about a minute)")
                self.make_folder(unfinished)
                self._bootstrap(unfinished, recipe)
                _write_settings(unfinished, recipe)
        except BaseException:
            self.remove(unfinished)
            raise
        unfinished.rename(root)

    def _bootstrap(self, root: Path, recipe: Recipe) -> None:
        folder = self.cache / "packages"
        folder.mkdir(parents=True, exist_ok=True)
        packages = shlex.quote(str(folder))
        later = " ".join(WARM_PACKAGES)
        archive = "/var/cache/apt/archives"
        argv = [
            *_CONTAINED, "mmdebstrap", "--quiet", "--variant=minbase", "--format=directory",
            f"--include={','.join(recipe.packages)}",
            # Here and in the nodes: nothing of it outlives the lab, so no installation need wait
            # for the disk. It halves the time of a build.
            "--dpkgopt=force-unsafe-io",
            # Downloads outlive the build, here for the next one and in the root for its nodes.
            "--skip=download/empty", "--skip=essential/unlink",
            "--skip=cleanup/apt", "--skip=cleanup/reproducible",
            f'--setup-hook=mkdir -p "$1{archive}"',
            f"--setup-hook=sync-in {packages} {archive}",
            '--customize-hook=APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" '
            f"apt-get -y --download-only install {later}",
            f"--customize-hook=sync-out {archive} {packages}",
            *(f"--aptopt={option}" for option in recipe.apt_options),
            recipe.suite, str(root),
        ]  # fmt: skip
        built = run(Command.of(*argv), check=False)
        if built.status != 0:
            raise LabError(
                "mmdebstrap could not build the Debian root",
                detail=built.error_text[-3000:],
                hint="see whether this machine reaches its Debian mirror: apt-get update",
            )


def _install(root: Path, packages: tuple[str, ...]) -> None:
    """Installs from the root's own package cache; no service is started."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        run(
            Command.of(
                *_CONTAINED[:-1], f"--mount-proc={root}/proc", "chroot", root,
                "apt-get", "-y", "-qq", "--no-install-recommends", "--no-download",
                "install", *packages,
                DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8",
                PATH="/usr/sbin:/usr/bin:/sbin:/bin",
            )
        )  # fmt: skip
    finally:
        policy.unlink()


def _write_settings(root: Path, recipe: Recipe) -> None:
    for path in (root / "etc/ssh").glob("ssh_host_*"):
        path.unlink()
    for name, text in recipe.files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text)
    for unit in recipe.masked:
        _link_to_null(root / "etc/systemd/system" / unit)
    for generator in recipe.no_generators:
        _link_to_null(root / "etc/systemd/system-generators" / generator)
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(parents=True, exist_ok=True)
    networkd = wanted / "systemd-networkd.service"
    if not networkd.is_symlink():
        networkd.symlink_to("/usr/lib/systemd/system/systemd-networkd.service")
    shutil.rmtree(root / "var/log/apt", ignore_errors=True)


def _link_to_null(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to("/dev/null")
