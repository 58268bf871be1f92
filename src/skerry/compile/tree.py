"""What a node shall hold: files, units, images."""

from __future__ import annotations

import msgspec

from skerry.compile.secrets import PodmanSecret
from skerry_node import wire

# A larger file is not shown in a diff, in bytes.
TEXT_LIMIT = 64 * 1024


class File(msgspec.Struct, frozen=True):
    """A file's content, permission bits, and ``user:group``."""

    content: bytes
    mode: int = 0o644
    owner: str = "root:root"

    @property
    def digest(self) -> str:
        """The digest that names the content's blob."""
        return wire.digest_of(self.content)

    @property
    def text(self) -> str | None:
        """The content as text for a diff; None where it is large or not text."""
        if len(self.content) > TEXT_LIMIT:
            return None
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            return None


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A systemd unit and the files it depends on; the fields are those of `wire.UnitEntry`."""

    files: tuple[str, ...]
    workload: str
    replica: int
    container: str = ""
    image: str = ""
    image_id: str = ""
    ports: tuple[str, ...] = ()
    memory_limit: int | None = None
    volumes: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    settle: float = 0.5
    deadline: float = 30.0
    completes: bool = False
    reloads: bool = False
    ready: str = ""
    secrets: tuple[str, ...] = ()
    role: str = "container"
    claims: tuple[str, ...] = ()
    completed: str = ""
    records: str = ""
    grace: float = 30.0


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What a workload asks of its node: the oldest Podman and Linux, and the images' CPU.

    `systemd` is its oldest version, 0 for any; `programs` are those that probes need.
    """

    workload: str
    podman: tuple[int, int]
    kernel: tuple[int, int]
    architectures: tuple[str, ...] = ()
    systemd: int = 0
    programs: tuple[str, ...] = ()


class Tree(msgspec.Struct, frozen=True):
    """The whole of one node: `files` by path, `units` by name, `images` id -> reference.

    `secrets` are by their names in Podman's store; their values are in no file and no manifest.
    `needs` says for each workload what the node must have.
    """

    cloud: str
    node: str
    files: dict[str, File]
    units: dict[str, Unit]
    images: dict[str, str]
    needs: dict[str, Needs] = {}
    secrets: dict[str, PodmanSecret] = {}

    def text_of(self, path: str) -> str | None:
        """The text of a file of the tree, for a diff; None where it is not text."""
        return self.files[path].text

    def manifest(self) -> wire.Manifest:
        """The tree without its contents, as it goes over the wire and is kept on the node."""
        return {
            "format": 1,
            "cloud": self.cloud,
            "node": self.node,
            "files": {
                path: {"digest": file.digest, "mode": file.mode, "owner": file.owner}
                for path, file in sorted(self.files.items())
            },
            "units": {name: _unit_entry(unit) for name, unit in sorted(self.units.items())},
            "images": dict(sorted(self.images.items())),
            "secrets": {
                name: {"of": secret.of, "immutable": secret.immutable}
                for name, secret in sorted(self.secrets.items())
            },
        }


def _unit_entry(unit: Unit) -> wire.UnitEntry:
    return {
        "files": list(unit.files),
        "volumes": list(unit.volumes),
        "after": list(unit.after),
        "settle": unit.settle,
        "deadline": unit.deadline,
        "completes": unit.completes,
        "reloads": unit.reloads,
        "ready": unit.ready,
        "secrets": list(unit.secrets),
        "role": unit.role,
        "claims": list(unit.claims),
        "completed": unit.completed,
        "records": unit.records,
        "grace": unit.grace,
        "workload": unit.workload,
        "replica": unit.replica,
        "container": unit.container,
        "image": unit.image,
        "image_id": unit.image_id,
        "ports": list(unit.ports),
        "memory_limit": unit.memory_limit,
    }
