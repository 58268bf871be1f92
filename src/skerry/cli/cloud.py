"""The opened cloud folder: what every verb starts from."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from skerry.cli.main import Settings
from skerry.cli.start import Start
from skerry.compile.lock import Lock, ResolvedImage
from skerry.compile.placement.place_cloud import Placements
from skerry.compile.secrets import KnownSecrets
from skerry.compile.tree import Tree
from skerry.edge.ssh import CONNECT_TIMEOUT, Link
from skerry.errors import UsageError
from skerry.model.cloud import Cloud

KNOWN_HOSTS = "known_hosts"
CACHE = ".skerry"


class OpenCloud:
    """A valid cloud folder with its lock; trees and image ids are made when they are asked for."""

    def __init__(
        self, folder: Path, cloud: Cloud, lock: Lock, *, start: Start | None = None
    ) -> None:
        self.folder = folder
        self.start = start
        self.cloud = cloud
        self.lock = lock
        self._trees: dict[str, Tree] | None = None
        self._secrets: KnownSecrets | None = None
        self._placements: Placements | None = None
        # Volumes that are allocated while the command thinks are not on any node yet.
        self._claims = lock.claims

    @property
    def placements(self) -> Placements:
        """Where everything runs; what had to be allocated for it is in the lock from then on."""
        if self._placements is None:
            from skerry.compile.placement.place_cloud import place_cloud
            from skerry.compile.services import with_node_ports

            self.lock = with_node_ports(self.cloud, self.lock)
            lock = msgspec.structs.replace(self.lock, claims=self._claims)
            self._placements = place_cloud(self.cloud, lock)
            self.lock = msgspec.structs.replace(
                self.lock, claims=self._placements.claims, jobs=self._placements.jobs
            )
        return self._placements

    @property
    def cache(self) -> Path:
        """What can be made again, and who is at work in the folder."""
        return self.folder.absolute() / CACHE

    @property
    def given_up(self) -> dict[str, str]:
        """The node of each volume that this command gives up."""
        return {claim: self._claims.get(claim, "") for claim in self.cloud.abandoned}

    def change_cloud(self, cloud: Cloud) -> None:
        """Takes another model of the same folder."""
        self.cloud, self._trees, self._placements = cloud, None, None

    def change_lock(self, lock: Lock) -> None:
        """Takes another lock; what is on which node is thought through again."""
        self.lock, self._trees, self._placements = lock, None, None

    def write_facts(self) -> None:
        """Keeps in cloud.lock what the nodes said of themselves."""
        from skerry.load.lockfile import read_lock, write_lock

        saved = read_lock(self.folder)
        if saved.nodes != self.lock.nodes:
            write_lock(self.folder, msgspec.structs.replace(saved, nodes=self.lock.nodes))

    def write_claims(self) -> None:
        """Keeps in cloud.lock which volume is on which node, before there is anything in it."""
        from skerry.load.lockfile import read_lock, write_lock

        saved = read_lock(self.folder)
        if saved.claims != self.lock.claims:
            write_lock(self.folder, msgspec.structs.replace(saved, claims=self.lock.claims))

    @property
    def trees(self) -> dict[str, Tree]:
        """The desired tree of every node. Raises `CloudInvalid` with all problems."""
        if self._trees is None:
            from skerry.compile.cloud import compile_cloud

            placements = self.placements
            self._trees = compile_cloud(
                self.cloud, self.lock, placements=placements, secrets=self.secrets
            )
        return self._trees

    @property
    def secrets(self) -> KnownSecrets:
        """The Secrets that workloads use, with their values: decrypted, or printed by commands.

        Raises `SecretUnreadable`. Where no Secret is used nothing is read.
        """
        if self._secrets is None:
            from skerry.cli.secret_values import read_secrets

            self._secrets, self.lock = read_secrets(self.folder, self.cloud, self.lock)
        return self._secrets

    def forget_secrets(self) -> None:
        """Has trees made without the values of secrets: nothing is decrypted."""
        self._secrets = KnownSecrets.unknown(self.cloud.secrets)

    def resolve_images(self) -> None:
        """Looks up the ids of all images in the operator's own store; the lock holds the rest."""
        from skerry.push.images import resolve_images

        references = {
            container.image
            for workload in self.cloud.workloads.values()
            for container in workload.spec.all_containers
        }
        found = resolve_images(references, self.lock.images, cache=self.folder / CACHE)
        self.lock = msgspec.structs.replace(self.lock, images=dict(sorted(found.items())))
        self._trees = None

    def images_by_id(self) -> dict[str, ResolvedImage]:
        """The resolved images by id."""
        return {image.id: image for image in self.lock.images.values()}

    def link(self, name: str, *, timeout: float | None = None) -> Link:
        """How the node is reached; `timeout` bounds the connecting, in seconds."""
        return make_link(self.folder, self.cloud, name, timeout=timeout)

    def select_nodes(self, patterns: tuple[str, ...]) -> list[str]:
        """The names that the patterns (``a,b``, ``web*``) mean, or all without patterns.

        Raises `UsageError` for a pattern that means no node.
        """
        return select_names(self.cloud, patterns)


def open_cloud(settings: Settings, *, wants_images: bool = False) -> OpenCloud:
    """Loads the cloud folder that the command line means.

    Raises `CloudInvalid` with all of its problems, `UsageError` where there is no such folder.
    """
    from skerry.load.cloud import find_cloud_folder, load_cloud
    from skerry.load.lockfile import read_lock

    folder = find_cloud_folder(settings.folder)
    opened = OpenCloud(folder, load_cloud(folder), read_lock(folder), start=settings.start)
    if wants_images:
        opened.resolve_images()
    return opened


def make_link(folder: Path, cloud: Cloud, name: str, *, timeout: float | None = None) -> Link:
    """How one node of the cloud is reached."""
    node = cloud.nodes[name]
    return Link(
        node=name,
        target=node.ssh,
        known_hosts=str(folder.absolute() / KNOWN_HOSTS),
        port=node.port,
        identity_file=_expanded(node.identity_file),
        ssh_config=cloud.ssh_config,
        connect_timeout=max(1, round(min(timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT))),
    )


def select_names(cloud: Cloud, patterns: tuple[str, ...]) -> list[str]:
    """The node names that the patterns mean, in the cloud's order; all without patterns."""
    if not patterns:
        return [name for name in cloud.nodes if name not in cloud.absent]
    wanted = [word for pattern in patterns for word in pattern.split(",") if word]
    chosen = []
    for pattern in wanted:
        found = [name for name in cloud.nodes if fnmatchcase(name, pattern)]
        if not found:
            raise UsageError(
                f"no node {pattern!r} in {cloud.name}",
                hint=f"nodes: {', '.join(cloud.nodes) or 'none yet; see `skerry node add`'}",
            )
        chosen += found
    return [name for name in cloud.nodes if name in chosen and name not in cloud.absent]


def operator_name() -> str:
    """Who is at work: ``user@host``."""
    import getpass

    return f"{getpass.getuser()}@{os.uname().nodename}"


def _expanded(path: str | None) -> str | None:
    return str(Path(path).expanduser()) if path else None
