"""Podman's secrets: which of them are Skerry's, making one, removing those that nothing needs.

A value is in this process and in Podman's store, which is root's, and nowhere else: it comes on
standard input and goes to Podman's. The store's file of names has no values in it.
"""

from __future__ import annotations

import os

from skerry_node.cache import keep, key_of, try_recall
from skerry_node.fault import NodeFault
from skerry_node.images import graph_root
from skerry_node.journal import try_read_journal
from skerry_node.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, List, Optional, Set, Tuple, Union

    from skerry_node.commands import Child
    from skerry_node.host import Emit, Host

    Listing = Union[Tuple[Child, List[Any]], List[str]]

# What `skerry.compile.secrets` makes of a Secret's name, a key and a version.
_OURS = r"skerry-[-A-Za-z0-9_.]*-[0-9a-f]{16}"
_CACHE = "secrets.json"
# The largest that Podman takes, in bytes.
_LIMIT = 511999


def start_secret_listing(host: Host) -> Listing:
    """Begins to list the names of Skerry's secrets, which `finish_secret_listing` gives.

    Podman rewrites the index of its store with every change, so a list is good for as long as
    that file stays the same; without the file there are none.
    """
    key = _index_key(host)
    if len(key[0]) == 1:
        return []
    known: Optional[List[str]] = try_recall(host, _CACHE, key)
    if known is not None:
        return known
    return host.commands.start("podman", "secret", "ls", "--format", "{{.Name}}"), key


def finish_secret_listing(host: Host, listing: Listing) -> List[str]:
    """The names, sorted."""
    if isinstance(listing, list):
        return listing
    child, key = listing
    finished = child.finish()
    finished.raise_unless_done()
    names = sorted(name for name in finished.text.split() if _is_ours(name))
    if _index_key(host) == key:
        keep(host, _CACHE, key, names)
    return names


def _is_ours(name: str) -> bool:
    # `re` is a third of what the node program imports; most clouds have no secrets.
    import re

    return re.fullmatch(_OURS, name) is not None


def list_secrets(host: Host) -> List[str]:
    """The names of Skerry's secrets in Podman's store."""
    return finish_secret_listing(host, start_secret_listing(host))


def store_secret(host: Host, name: str, chunks: Iterable[bytes]) -> bool:
    """Makes one secret, whole or not at all; False where it was there already.

    The name has a hash of the value in it: one that is there is the same.
    """
    if not _is_ours(name):
        raise NodeFault("bad-request", "%r is not a secret's name" % name)
    # All of it before Podman is started: to Podman the end of a connection would be the end of
    # the value.
    content, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size <= _LIMIT:
            content.append(chunk)
    if not 0 < size <= _LIMIT:
        raise NodeFault(
            "bad-request", "a secret of %d bytes: Podman takes 1 to %d" % (size, _LIMIT)
        )
    if name in list_secrets(host):
        return False
    child = host.commands.start("podman", "secret", "create", name, "-", has_input=True)
    try:
        _feed(child, b"".join(content))
    finally:
        finished = child.finish()
    if finished.status != 0:
        is_full = "no space left" in finished.words
        raise NodeFault(
            "disk-full" if is_full else "secret-refused",
            "Podman cannot keep the secret %s" % name,
            "`skerry prune` removes old generations and images" if is_full else "",
            finished.words,
        )
    return True


def raise_if_missing(host: Host, names: Iterable[str]) -> None:
    """Raises NodeFault where a secret that a tree needs is not here."""
    wanted = set(names)
    missing = sorted(wanted.difference(list_secrets(host))) if wanted else []
    if missing:
        raise NodeFault(
            "secret-missing",
            "the secret %s was not sent" % ", ".join(missing),
            "run the command again: it plans anew",
        )


def needed_secrets(host: Host, store: Store) -> Set[str]:
    """The secrets of the active generation, and of both generations of a switch that has not
    ended."""
    numbers, entry = {store.current_number()}, try_read_journal(host)
    if entry is not None:
        numbers |= {int(entry["number"]), int(entry["base"])}
    return {name for number in numbers for name in store.manifest(number).get("secrets", {})}


def unneeded_secrets(host: Host, store: Store, wanted: Iterable[str] = ()) -> List[str]:
    """Skerry's secrets that no generation needs any more, and that are not `wanted` either."""
    there = list_secrets(host)
    return sorted(set(there) - needed_secrets(host, store) - set(wanted)) if there else []


def remove_secrets(host: Host, names: Iterable[str]) -> None:
    """Removes secrets from Podman's store; those that are not there are fine."""
    wanted = set(names)
    there = wanted.intersection(list_secrets(host)) if wanted else ()
    if there:
        finished = host.commands.run("podman", "secret", "rm", *sorted(there))
        finished.raise_unless_done()


def clean_secrets(host: Host, store: Store, emit: Emit, wanted: Iterable[str] = ()) -> None:
    """Removes what no generation needs. What cannot be removed is only noted: the next run tries
    again, and a plan shows it."""
    try:
        remove_secrets(host, unneeded_secrets(host, store, wanted))
    except (NodeFault, OSError) as error:
        words = error.message if isinstance(error, NodeFault) else str(error)
        emit({"event": "note", "message": "secrets could not be removed: " + words})


def _feed(child: Child, content: bytes) -> None:
    assert child.stdin is not None
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(child.stdin, rest) :]
    except BrokenPipeError:
        # Podman's own words say why.
        return


def _index_key(host: Host) -> List[Any]:
    return key_of([os.path.join(host.path(graph_root(host)), "secrets", "secrets.json")])
