"""Podman's images: which are here, bringing one in, removing ours."""

from __future__ import annotations

import os

from skerry_node.cache import keep, key_of, try_recall
from skerry_node.durable import make_folder, try_read_json, write_json
from skerry_node.fault import NodeFault
from skerry_node.quick_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, Tuple, Union

    from skerry_node.commands import Child, Finished
    from skerry_node.host import Host

    # A listing that runs, with the cache's key; or one that is known already.
    Listing = Union[Tuple[Child, List[Any]], List[str]]

_STORAGE = "/var/lib/containers/storage"
_STORAGE_CONF = "/etc/containers/storage.conf"
_CACHE = "images.json"
# The reference of an image that is being loaded, in the note of those that are ours.
_LOADING = ""
# A folder of the state folder, there while an image is being loaded.
_TEMPORARY = "loading"
_LIST = ("podman", "image", "ls", "--all", "--quiet", "--no-trunc")
_LIST_DEADLINE = 60.0
# A slow disk unpacks some MB per second.
_LOAD_DEADLINE = 1800.0


def start_listing(host: Host) -> Listing:
    """Begins to list image ids, which `finish_listing` gives.

    Podman rewrites ``*-images/images.json`` with every change of its store, so a list is good
    for as long as that file stays the same, and starting Podman (60 ms and more) is saved.
    """
    key = _store_key(host)
    known: Optional[List[str]] = try_recall(host, _CACHE, key)
    if known is not None:
        return known
    try:
        return host.commands.start(*_LIST), key
    except NodeFault as fault:
        if fault.id == "command-missing":
            return []
        raise


def finish_listing(host: Host, listing: Optional[Listing]) -> List[str]:
    """The ids of all images, 64 hexadecimal digits each, sorted."""
    if listing is None or isinstance(listing, list):
        return listing or []
    child, key = listing
    finished = child.finish(_LIST_DEADLINE)
    if finished.status != 0:
        raise NodeFault(
            "podman-failed",
            "Podman cannot list its images",
            "its storage may be damaged: stop the pods, move the file that it cannot read away "
            "(its database is /var/lib/containers/storage/db.sql), then `podman system check "
            "--repair --force` on the node; apply sends what is missing",
            finished.words,
        )
    images = sorted({line.rpartition(":")[2] for line in finished.text.split()})
    # Podman may have made its store just now; only a key that held still is good.
    if _store_key(host) == key:
        keep(host, _CACHE, key, images)
    return images


def list_images(host: Host) -> List[str]:
    """The ids of all images."""
    return finish_listing(host, start_listing(host))


def load_image(
    host: Host, image_id: str, reference: str, chunks: Iterable[bytes], compression: str
) -> None:
    """Feeds an archive to ``podman load``, verifies that the id is there then, and names it.

    An archive that holds another image is refused, and what came with it is removed. Raises
    NodeFault with Podman's own words.
    """
    before = set(list_images(host))
    if image_id in before:
        for _ in chunks:
            # It is here already: the bytes are only read, so that the next stream is found.
            continue
        host.commands.run("podman", "tag", image_id, reference)
        if our_images(host).get(image_id) == _LOADING:
            remember_image(host, image_id, reference)
        return
    # Noted before: whatever ends this program, the next one knows that it is ours, and not whole.
    remember_image(host, image_id, _LOADING)
    try:
        finished = _load(host, chunks, compression)
    except BaseException:
        forget_images(host, [image_id])
        raise
    if finished.status != 0:
        forget_images(host, [image_id])
    if finished.status != 0:
        is_full = "no space left" in finished.words
        raise NodeFault(
            "disk-full" if is_full else "image-refused",
            "Podman cannot load the image %s" % reference,
            "`skerry prune` removes old generations and images" if is_full else "",
            finished.words,
        )
    after = set(list_images(host))
    if image_id not in after:
        for other in after - before:
            host.commands.run("podman", "image", "rm", other)
        forget_images(host, [image_id])
        raise NodeFault(
            "image-differs",
            "the archive of %s held another image than %s" % (reference, image_id[:12]),
            "build or pull it again on the operator's machine, and run the command again",
            finished.words,
        )
    host.commands.run("podman", "tag", image_id, reference).raise_unless_done()
    remember_image(host, image_id, reference)


def _load(host: Host, chunks: Iterable[bytes], compression: str) -> Finished:
    """Runs ``podman load``; its temporary files are in a folder that is known to be ours."""
    clean_loading(host)
    folder = host.state_path(_TEMPORARY)
    make_folder(folder)
    words = ("env", "TMPDIR=" + folder, "podman", "load", "--quiet")
    loading = host.commands.start(*words, has_input=True)
    try:
        _feed(host, loading, chunks, compression)
    finally:
        # Of an archive that is cut off Podman removes what it had unpacked.
        finished = loading.finish(_LOAD_DEADLINE)
        clean_loading(host)
    return finished


def clean_loading(host: Host) -> None:
    """Removes the temporary files of a load that was cut off by more than its connection."""
    folder = host.state_path(_TEMPORARY)
    if os.path.isdir(folder):
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def whole_images(host: Host, ids: List[str]) -> List[str]:
    """Those of the images that did not come by a load which was interrupted: such a one has no
    name yet, and is sent once more."""
    ours = our_images(host)
    return [one for one in ids if ours.get(one) != _LOADING]


def _feed(host: Host, loading: Child, chunks: Iterable[bytes], compression: str) -> None:
    """Writes the archive to Podman, unpacked by zstd on the way if it is packed."""
    assert loading.stdin is not None
    sink, unpacking = loading.stdin, -1
    if compression == "zstd":
        sink, unpacking = host.commands.pipe("zstd", "-dcq", target=loading.stdin)
        loading.close_input()
    elif compression != "none":
        raise NodeFault("bad-request", "no compression %r" % compression)
    is_open = True
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest and is_open:
                try:
                    rest = rest[os.write(sink, rest) :]
                except BrokenPipeError:
                    # Podman's own words say why; the rest is read for the next stream's sake.
                    is_open = False
    finally:
        if compression == "zstd":
            os.close(sink)
            os.waitpid(unpacking, 0)
        else:
            loading.close_input()


def remember_image(host: Host, image_id: str, reference: str) -> None:
    """Notes that an image came by Skerry: only such ones are ever removed."""
    make_folder(host.state)
    write_json(_record_path(host), dict(our_images(host), **{image_id: reference}))


def forget_images(host: Host, gone: Iterable[str]) -> None:
    """Takes images off the note."""
    ours, names = our_images(host), set(gone)
    left = {image: name for image, name in ours.items() if image not in names}
    if left != ours:
        write_json(_record_path(host), left)


def our_images(host: Host) -> Dict[str, str]:
    """The images that came by Skerry: id -> reference."""
    try:
        return try_read_json(_record_path(host), {"": str}) or {}
    except NodeFault:
        # What it named stays when images are pruned.
        return {}


def remove_image(host: Host, image_id: str) -> bool:
    """Removes an image unless a container uses it; whether it is gone.

    By id without ``--force`` Podman refuses an image with several names, so those go first.
    """
    finished = host.commands.run("podman", "image", "rm", image_id)
    if finished.status != 0 and "must be forced" in finished.words:
        names = host.commands.run(
            "podman", "image", "inspect", "--format", "{{range .RepoTags}}{{.}} {{end}}", image_id
        ).text.split()
        finished = host.commands.run("podman", "image", "rm", *names)
    return finished.status == 0


def check_storage(host: Host) -> List[str]:
    """What Podman says is damaged in its storage, and what to do; nothing where it cannot tell."""
    try:
        finished = host.commands.run("podman", "system", "check", deadline=_LIST_DEADLINE)
    except NodeFault:
        return []
    # Podman before 5.3 knows no such command.
    if finished.status == 0 or "unrecognized" in finished.words:
        return []
    advice = "stop the pods, then `podman system check --repair --force` on the node"
    return [
        "Podman's storage is damaged: " + advice + "; apply sends what is missing",
        *finished.words.splitlines()[:5],
    ]


def inspect_sizes(host: Host, ids: Iterable[str]) -> Dict[str, int]:
    """The sizes of images in bytes, as Podman counts them."""
    names = sorted(ids)
    if not names:
        return {}
    words = ("podman", "image", "inspect", "--format", "{{.Id}} {{.Size}}", *names)
    rows = (line.split() for line in host.commands.run(*words).text.splitlines())
    return {row[0].rpartition(":")[2]: int(row[1]) for row in rows if len(row) == 2}


def used_images(host: Host) -> Set[str]:
    """The ids of images that a container, running or not, was made of."""
    words = ("podman", "ps", "--all", "--external", "--no-trunc", "--format", "json")
    finished = host.commands.run(*words)
    finished.raise_unless_done()
    found = loads(finished.stdout or b"[]") or []
    return {str(one.get("ImageID", "")) for one in found}


def _record_path(host: Host) -> str:
    return host.state_path("images.json")


def _store_key(host: Host) -> List[Any]:
    return key_of(sorted(_index_files(host.path(graph_root(host)))))


def _index_files(storage: str) -> Iterator[str]:
    """The files in which Podman's storage drivers list their images."""
    try:
        names = os.listdir(storage)
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith("-images"):
            yield os.path.join(storage, name, "images.json")


def graph_root(host: Host) -> str:
    """Where Podman keeps its images (``graphroot`` in containers-storage.conf(5))."""
    try:
        with open(host.path(_STORAGE_CONF), encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition("=")
                if key.strip() == "graphroot":
                    return value.strip().strip("\"'") or _STORAGE
    except FileNotFoundError:
        return _STORAGE
    return _STORAGE
