"""``cloud.lock``: what was allocated or resolved once and stays so until somebody changes it."""

from __future__ import annotations

from typing import Annotated

import msgspec

# The file comes out of git: what it says goes into units and onto the command lines of probes.
ImageId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
ImageUser = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]*\Z", max_length=256)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
NodePort = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Address = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F:.]*\Z", max_length=64)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]*\Z", max_length=64)]


class ResolvedImage(msgspec.Struct, frozen=True, kw_only=True):
    """The image that a reference means: its id (64 hexadecimal digits), size in bytes, CPU.

    `user` is whom its programs run as (``USER``, ``1000``, ``web:www``), "" for root, and None
    where that is not known.
    """

    id: ImageId
    size: Amount
    architecture: Word = "amd64"
    user: ImageUser | None = None


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What placement and pods need to know of a node, as it was last seen.

    `memory` is all that it has, `system` what it needs for itself, and `disk` what was free on
    it, all in bytes; `cpus` the number of its processors; `address` that of its first interface,
    or ""; `architecture` as images have it, or "".
    """

    memory: Amount = 0
    system: Amount = 0
    cpus: Amount = 0
    address: Address = ""
    disk: Amount = 0
    architecture: Word = ""


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """`images` by the reference that manifests use, `nodes` by name.

    `secret_key` is random, base64; it makes the versions of Secrets where there is no secrets.yaml.
    `claims` says on which node the folder of a PersistentVolumeClaim lies, by the claim's name;
    `jobs` on which node the pods of a Job run, and so have run, by ``JOB/LANE``;
    `node_ports` the port of the nodes that a Service was given, by ``SERVICE/PORT``
    (or ``SERVICE/PORT/UDP``).
    """

    format: int = 1
    images: dict[str, ResolvedImage] = {}
    nodes: dict[str, NodeFacts] = {}
    claims: dict[str, str] = {}
    jobs: dict[str, str] = {}
    node_ports: dict[str, NodePort] = {}
    secret_key: str = ""
