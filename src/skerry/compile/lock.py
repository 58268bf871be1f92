"""``cloud.lock``: what was allocated or resolved once and stays so until somebody changes it."""

from __future__ import annotations

import msgspec


class ResolvedImage(msgspec.Struct, frozen=True, kw_only=True):
    """The image that a reference means: its id (64 hexadecimal digits), size in bytes, CPU.

    `user` is whom its programs run as (``USER``, ``1000``, ``web:www``), "" for root, and None
    where that is not known.
    """

    id: str
    size: int
    architecture: str = "amd64"
    user: str | None = None


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What placement and pods need to know of a node, as it was last seen.

    `memory` is all that it has, `system` what it needs for itself, and `disk` what was free on
    it, all in bytes; `cpus` the number of its processors; `address` that of its first interface,
    or ""; `architecture` as images have it, or "".
    """

    memory: int = 0
    system: int = 0
    cpus: int = 0
    address: str = ""
    disk: int = 0
    architecture: str = ""


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
    node_ports: dict[str, int] = {}
    secret_key: str = ""
