"""How the operator reaches the nodes: a key, a password, and an ssh_config."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from skerry.edge.run import Command, run
from skerry.lab.places import Places
from skerry.lab.record import NodeRecord


def make_key(places: Places) -> None:
    """Makes the lab's key pair if there is none."""
    if not places.ssh_key.exists():
        comment = f"skerry-lab-{places.name}"
        argv = ("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(places.ssh_key))
        run(Command.of("ssh-keygen", *argv))


def make_password() -> tuple[str, str]:
    """A new root password and its hash for /etc/shadow."""
    # No letters that look alike: it is shown to be typed.
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    password = "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(3))
    hashed = run(Command.of("openssl", "passwd", "-6", "-stdin"), input=password.encode())
    return password, hashed.text


def render_ssh_config(places: Places, nodes: Iterable[NodeRecord]) -> str:
    """The ssh_config: each node by name and by address, through the lab's namespace.

    Whatever a caller sets with `-o` comes before it. Multiplexing is the caller's own affair.

    Keys are exchanged over Curve25519 where both sides can. What newer versions of OpenSSH prefer
    is made against a computer of the future that reads a recording of today; what goes over the
    lab's network never leaves this machine, and Debian 12's costs 70 ms of CPU a connection.
    """
    blocks = [f"# The nodes of the lab {places.name!r}; written by skerry lab."]
    for node in nodes:
        blocks.append(
            f"Host {node.name} {node.address}\n"
            f"    HostName {node.address}\n"
            "    User root\n"
            f'    IdentityFile "{places.ssh_key}"\n'
            f'    UserKnownHostsFile "{places.known_hosts}"\n'
            "    KexAlgorithms ^curve25519-sha256\n"
            f"    ProxyCommand nsenter --net={places.namespace_path} "
            "socat -b 65536 - TCP:%h:%p,nodelay\n"
        )
    return "\n".join(blocks)


def render_known_hosts(keys: Iterable[tuple[NodeRecord, str]]) -> str:
    """Known-hosts lines of the nodes with their public host keys, by name and by address."""
    return "".join(
        f"{node.name},{node.address} {' '.join(key.split()[:2])}\n" for node, key in keys
    )
