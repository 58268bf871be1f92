"""What is written down about a lab: `lab.json` in its state folder."""

from __future__ import annotations

import os
import time
from typing import Literal

import msgspec

from skerry.lab.network import VENDORS
from skerry.lab.places import Places, held

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
MOST_NODES = 200


class NodeRecord(msgspec.Struct):
    """One node as it was ordered."""

    name: str
    number: int
    vendor: str
    address: str
    image: Literal["plain", "warm"]
    access: Literal["key", "password"]
    """What root may log in with at first; the password always works until it is turned off."""
    since: float
    """When one of our commands last changed its state, in seconds since 1970."""
    memory: int | None = None
    """The memory that it reports, in bytes; None for all of this computer's."""


class LabRecord(msgspec.Struct):
    """One lab: what its next command needs to know, and what the kernel cannot tell."""

    name: str
    key: str
    created: float
    password: str
    password_hash: str
    nodes: dict[str, NodeRecord] = {}


def name_of(number: int) -> str:
    """The name of the node `number`, counted from 0: alpha, beta, ..., theta, node9, ..."""
    return NAMES[number] if number < len(NAMES) else f"node{number + 1}"


def order_node(
    number: int,
    *,
    image: Literal["plain", "warm"],
    access: Literal["key", "password"],
    memory: int | None = None,
) -> NodeRecord:
    """The record of a new node: vendors take turns, each with a subnet of its own."""
    vendor = number % len(VENDORS)
    return NodeRecord(
        name=name_of(number),
        number=number,
        vendor=VENDORS[vendor],
        address=f"198.18.{vendor + 1}.{10 + number}",
        image=image,
        access=access,
        since=time.time(),
        memory=memory,
    )


def read_record(places: Places) -> LabRecord | None:
    """The lab's record, or None where there is no such lab."""
    try:
        content = places.record.read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(content, type=LabRecord)


def write_record(places: Places, record: LabRecord) -> None:
    """Writes the record, whole or not at all."""
    unfinished = places.record.with_suffix(".new")
    content = msgspec.json.format(msgspec.json.encode(record), indent=2)
    # It holds the root password.
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content + b"\n")
    unfinished.rename(places.record)


def touch_node(places: Places, name: str) -> NodeRecord | None:
    """Notes that the node's state changed now; None where the node is not in the record."""
    if not places.record.exists():
        return None
    with held(places.state / "locks" / ".record"):
        record = read_record(places)
        if record is None or name not in record.nodes:
            return None
        record.nodes[name].since = time.time()
        write_record(places, record)
        return record.nodes[name]
