"""Host keys: the first one is pinned in the cloud folder, another one later is refused.

The cloud's ``known_hosts`` is a file of sshd(8)'s format in which a node's name stands for its
host, so a pin outlives a change of address.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from skerry.bootstrap.folder import held_folder, read_text, write_text
from skerry.edge.conversation import Patience, converse
from skerry.edge.run import Command
from skerry.edge.ssh import (
    Link,
    pinned_fingerprints,
    raise_for_ssh,
    ssh_command,
    start_ssh,
    stop_ssh,
)
from skerry.errors import HostKeyMismatch, NodeUnreachable, UsageError

# What a vendor's console may show the fingerprint of; each set is asked for on its own.
_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
    "rsa-sha2-512,rsa-sha2-256",
)


def check_fingerprint(text: str) -> str:
    """A fingerprint as ssh shows it. Raises UsageError for anything else."""
    words = text.split()
    found = next((word for word in words if word.startswith("SHA256:")), "")
    if len(found) != len("SHA256:") + 43:
        raise UsageError(
            f"{text!r} is not a fingerprint",
            hint="one looks like SHA256:uNiVztksCsDhcc0u9e8BrqxdVfA+bvEYxV2+TF0pe9w "
            "(on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)",
        )
    return found.rstrip("=")


def raise_unless_pinned(link: Link, expected: str) -> None:
    """Raises `HostKeyMismatch` where the node has pins and `expected` is none of them."""
    pinned = pinned_fingerprints(link)
    if expected not in pinned:
        raise HostKeyMismatch(
            link.node,
            f"expected is {expected}; pinned is {', '.join(pinned)}; nothing was changed",
            hint="--replace-host-key pins the expected one, if the host shows it",
        )


def pin_expected(link: Link, expected: str) -> None:
    """Writes the host's key into the link's (temporary) known_hosts if it is the expected one.

    Nothing is sent to the host but ssh's own greeting: no password, no key. Raises
    `HostKeyMismatch` with the fingerprints that the host shows, `NodeUnreachable`.
    """
    offered: list[str] = []
    for kinds in _KINDS:
        path = Path(link.known_hosts)
        path.unlink(missing_ok=True)
        _greet(link, kinds)
        found = pinned_fingerprints(link)
        if expected in found:
            return
        offered += found
    Path(link.known_hosts).unlink(missing_ok=True)
    raise HostKeyMismatch(
        link.node,
        f"the host shows the key {', '.join(offered) or 'of an unknown kind'}; "
        f"expected is {expected}; nothing was pinned or changed",
        hint="is it the right host? else somebody may be listening",
    )


def read_pins(path: Path, node: str) -> list[str]:
    """The lines of a known_hosts file that are about the node."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    return [line for line in lines if _is_about(line, node)]


def write_pins(path: Path, node: str, pins: list[str]) -> None:
    """Replaces what the file says about the node by `pins` (none: the node is forgotten)."""
    with held_folder(path.parent):
        text = read_text(path) if path.exists() else ""
        kept = [line for line in text.splitlines() if not _is_about(line, node)]
        new = "".join(line + "\n" for line in [*kept, *pins])
        if new != text:
            write_text(path, new)


def temporary_link(link: Link, folder: str, *, accept_new: bool) -> Link:
    """The link with a known_hosts file of its own, in which nothing is pinned yet."""
    known_hosts = str(Path(folder) / "known_hosts")
    return msgspec.structs.replace(link, known_hosts=known_hosts, accept_new=accept_new)


def _greet(link: Link, kinds: str) -> None:
    """Begins a connection with host keys of these kinds only and gives up before logging in."""
    bare = msgspec.structs.replace(link, accept_new=True, multiplex=False, password=None)
    command = ssh_command(bare, "true")
    # The first value of an option wins. At LogLevel=ERROR, ssh keeps it to itself that no kind
    # of host key fits.
    options = ("PreferredAuthentications=none", f"HostKeyAlgorithms={kinds}", "LogLevel=INFO")
    first = tuple(word for option in options for word in ("-o", option))
    command = Command((command.argv[0], *first, *command.argv[1:]), command.env)
    process = start_ssh(bare, command)
    try:
        words = converse(process, (), lambda _: False, Patience(None, link.connect_timeout + 20))
    except TimeoutError as error:
        stop_ssh(process)
        raise NodeUnreachable(link.node, f"{error} while it showed its key") from None
    except BaseException:
        stop_ssh(process)
        raise
    if b"Permission denied" in words or b"no matching host key type" in words:
        return
    if not pinned_fingerprints(link):
        raise_for_ssh(link, process.returncode, words)
        raise NodeUnreachable(link.node, words.decode(errors="replace").strip()[-300:])


def _is_about(line: str, node: str) -> bool:
    words = line.split()
    return bool(words) and node in words[0].split(",")
