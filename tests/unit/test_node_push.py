"""Blobs and images on their way in, and what is pruned later."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from skerry_node import wire
from skerry_node.commands import Child, Commands
from skerry_node.fault import NodeFault
from skerry_node.host import Host
from skerry_node.images import (
    list_images,
    load_image,
    our_images,
    remember_image,
    whole_images,
)
from skerry_node.lock import show_lock, take_lock
from skerry_node.prune import kept_generations, run_prune
from skerry_node.push import run_push
from skerry_node.store import Store
from skerry_node.streams import Streams
from tests.unit.node_machine import Events, lock_request, put_blob
from tests.unit.wire_examples import file_entry, manifest

IMAGE = "a" * 64
OTHER = "b" * 64
# Stands for Podman: `load` takes an archive that is the image's id, `store` is its images.
PODMAN = """\
store=%(store)s
case "$1 $2" in
"image ls") sed s/^/sha256:/ $store ;;
"load --quiet") id=$(cat); test ${#id} = 64 || { echo "payload does not match" >&2; exit 125; }
    echo $id >> $store ;;
"image rm") grep -v $3 $store > $store.new; mv $store.new $store ;;
"image inspect") shift 4; for id; do echo "sha256:$id 1000"; done ;;
"ps --all") echo '[{"ImageID": "%(used)s"}]' ;;
esac
"""


class Scripted(Commands):
    """Real processes; `podman` is a script."""

    def __init__(self, root: Path, used: str = "") -> None:
        self.podman = root / "podman"
        self.store = root / "var/lib/containers/storage/overlay-images/images.json"
        self.store.parent.mkdir(parents=True)
        self.store.write_text("")
        self.podman.write_text(PODMAN % {"store": self.store, "used": used})
        self.started: list[Sequence[str]] = []

    def start(self, *argv: str, has_input: bool = False) -> Child:
        if argv[0] == "env":
            assert Path(argv[1].partition("=")[2]).is_dir()
            argv = argv[2:]
        self.started.append(argv)
        words = ["sh", str(self.podman), *argv[1:]] if argv[0] == "podman" else list(argv)
        return Child(words, has_input=has_input)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A node with the scripted Podman."""
    (tmp_path / "var/lib").mkdir(parents=True)
    return Host(str(tmp_path), Scripted(tmp_path))


def push(
    host: Host, *described: tuple[str, str, int], content: bytes, **args: Any
) -> dict[str, Any]:
    """Runs the op with these streams."""
    streams: list[wire.Stream] = [
        {"kind": kind, "name": name, "size": size} for kind, name, size in described
    ]
    source = Streams(io.BytesIO(content), streams)
    args = {"lock": lock_request(), "compression": "none", "images": {}, **args}
    return run_push(args, source, Events(), host)


def wanted(size: int = 10) -> dict[str, Any]:
    """The request's table of images."""
    return {IMAGE: {"reference": "localhost/blog", "size": size}}


def test_blobs_are_stored_by_their_digests(host: Host) -> None:
    contents = [b"one", b"", b"three" * 100_000]
    found = push(
        host,
        *(("blob", wire.digest_of(one), len(one)) for one in contents),
        content=b"".join(contents),
    )
    assert found["stored"] == [wire.digest_of(one) for one in contents]
    store = Store(host)
    assert [b"".join(store.read_blob(digest)) for digest in found["stored"]] == contents
    for path in Path(store.blobs).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert show_lock(host) is not None


def test_stream_of_unknown_length_comes_in_chunks(host: Host) -> None:
    content = b"00000003abc00000002de00000000"
    digest = wire.digest_of(b"abcde")
    push(host, ("blob", digest, -1), content=content)
    assert b"".join(Store(host).read_blob(digest)) == b"abcde"


@pytest.mark.parametrize(
    ("size", "content", "fault"),
    [
        (3, b"abX", "damaged-transfer"),
        (3, b"ab", "cut-off"),
        (-1, b"00000003ab", "cut-off"),
        (-1, b"0000", "cut-off"),
        (-1, b"zzzzzzzz", "bad-request"),
    ],
)
def test_damaged_transfer_leaves_nothing_but_what_came_whole(
    host: Host, size: int, content: bytes, fault: str
) -> None:
    first = wire.digest_of(b"first")
    with pytest.raises(NodeFault) as found:
        push(
            host,
            ("blob", first, 5),
            ("blob", wire.digest_of(b"abc"), size),
            content=b"first" + content,
        )
    assert found.value.id == fault
    assert [path.name for path in Path(Store(host).blobs).iterdir()] == [first[7:]]
    # The run is over: nobody shall wait for its lock.
    assert show_lock(host) is None


def test_stream_that_was_not_announced_is_refused(host: Host) -> None:
    for kind, name in (("image", IMAGE), ("what", "x")):
        with pytest.raises(NodeFault, match="no stream of kind"):
            push(host, (kind, name, 0), content=b"")


def test_image_is_loaded_verified_and_named(host: Host) -> None:
    push(host, ("image", IMAGE, 64), content=IMAGE.encode(), images=wanted())
    assert list_images(host) == [IMAGE]
    assert our_images(host) == {IMAGE: "localhost/blog"}
    commands = host.commands
    assert isinstance(commands, Scripted)
    assert ("podman", "tag", IMAGE, "localhost/blog") in commands.started


def test_packed_image_is_unpacked_on_the_way(host: Host) -> None:
    zstandard = pytest.importorskip("zstandard")
    packed = zstandard.compress(IMAGE.encode())
    push(
        host,
        ("image", IMAGE, len(packed)),
        ("blob", wire.digest_of(b"after"), 5),
        content=packed + b"after",
        images=wanted(),
        compression="zstd",
    )
    assert list_images(host) == [IMAGE]


@pytest.mark.parametrize(
    ("compression", "archive", "fault", "words"),
    [
        ("none", b"no archive", "image-refused", "payload does not match"),
        ("zstd", b"no zstd at all", "image-refused", "payload does not match"),
        ("none", OTHER.encode(), "image-differs", "held another image"),
        ("lzma", b"", "bad-request", "no compression"),
    ],
)
@pytest.mark.claims("images-by-id")
def test_image_that_is_not_what_was_announced_is_refused_whole(
    host: Host, compression: str, archive: bytes, fault: str, words: str
) -> None:
    with pytest.raises(NodeFault) as found:
        push(
            host,
            ("image", IMAGE, len(archive)),
            content=archive,
            images=wanted(),
            compression=compression,
        )
    assert found.value.id == fault
    assert words in found.value.message + found.value.detail
    assert list_images(host) == []
    assert our_images(host) == {}


def test_image_that_is_there_already_is_not_loaded_and_not_ours(host: Host) -> None:
    commands = host.commands
    assert isinstance(commands, Scripted)
    commands.store.write_text(IMAGE + "\n")
    found = push(
        host,
        ("image", IMAGE, 64),
        ("blob", wire.digest_of(b"after"), 5),
        content=IMAGE.encode() + b"after",
        images=wanted(),
    )
    assert found["stored"] == [wire.digest_of(b"after")]
    assert our_images(host) == {}


def test_image_that_will_not_fit_is_refused_before_it_comes(host: Host) -> None:
    with pytest.raises(NodeFault, match="MB are free") as found:
        push(host, ("image", IMAGE, 64), content=b"", images=wanted(size=1 << 60))
    assert found.value.id == "disk-full"


def test_podman_is_asked_again_only_when_its_store_changed(host: Host) -> None:
    commands = host.commands
    assert isinstance(commands, Scripted)
    assert list_images(host) == []
    assert list_images(host) == []
    assert len(commands.started) == 1
    commands.store.write_text(OTHER + "\n")
    assert list_images(host) == [OTHER]
    assert len(commands.started) == 2
    os.utime(commands.store, ns=(0, 0))
    list_images(host)
    assert len(commands.started) == 3


def test_node_without_podman_has_no_images(tmp_path: Path) -> None:
    class Bare(Commands):
        def start(self, *argv: str, has_input: bool = False) -> Child:
            return super().start("/no/such/program", has_input=has_input)

    assert list_images(Host(str(tmp_path), Bare())) == []


def entry(number: int, state: str) -> wire.Generation:
    """A line of the history."""
    return {
        "number": number,
        "who": "",
        "when": 0.0,
        "message": "",
        "changes": [],
        "state": state,
        "rollback_of": None,
    }


@pytest.mark.parametrize(
    ("states", "keep", "needed", "kept"),
    [
        ("", 3, {0}, set()),
        ("a", 3, {1}, {1}),
        ("ppppa", 3, {5}, {3, 4, 5}),
        ("ppppa", 1, {5}, {5}),
        ("ppppa", 0, {5}, {5}),
        # The active one is an old one after a rollback of its record only.
        ("appp", 2, {1}, {1, 3, 4}),
        # Failed ones stay as long as an older good one does.
        ("fpfpfa", 2, {6}, {4, 5, 6}),
        ("pfa", 1, {3}, {3}),
        # A journal still needs them.
        ("ppaf", 1, {3, 4}, {3, 4}),
    ],
)
def test_kept_generations(states: str, keep: int, needed: set[int], kept: set[int]) -> None:
    names = {"a": "active", "p": "previous", "f": "failed"}
    history = [entry(number, names[one]) for number, one in enumerate(states, 1)]
    assert kept_generations(history[::-1], keep, needed) == kept


def filled(host: Host) -> Store:
    """Three generations, each with a content and an image of its own; the last is active."""
    store = Store(host)
    commands = host.commands
    assert isinstance(commands, Scripted)
    ids = [letter * 64 for letter in "abcd"]
    commands.store.write_text("\n".join(ids) + "\n")
    for number, image in enumerate(ids[:3], 1):
        content = b"content %d" % number
        put_blob(store, content)
        tree = manifest(files={"/etc/x": file_entry(content)}, images={image: "localhost/x"})
        store.add_generation(number, tree, {"state": "active"}, {})
        store.set_current(number)
        remember_image(host, image, "localhost/x")
    return store


def prune(host: Host, keep: int, *, dry_run: bool = False) -> dict[str, Any]:
    """Runs the op."""
    args = {"keep": keep, "images": True, "dry_run": dry_run, "lock": lock_request()}
    return run_prune(args, None, Events(), host)


def test_prune_takes_what_nothing_needs(host: Host) -> None:
    store = filled(host)
    planned = prune(host, 2, dry_run=True)
    assert store.numbers() == [1, 2, 3]
    done = prune(host, 2)
    assert done == planned
    assert done["generations"] == [1]
    assert done["kept"] == [2, 3]
    assert (done["blobs"], done["blob_bytes"]) == (1, len(b"content 1"))
    assert done["images"] == {"a" * 64: "localhost/x"}
    assert done["image_bytes"] == 1000
    assert store.numbers() == [2, 3]
    # "d" is not ours, "b" and "c" are of generations that stay.
    assert list_images(host) == [letter * 64 for letter in "bcd"]
    assert not store.has_blob(wire.digest_of(b"content 1"))
    assert store.has_blob(wire.digest_of(b"content 2"))
    assert show_lock(host) is None
    again = prune(host, 2)
    assert (again["generations"], again["blobs"], again["images"]) == ([], 0, {})


def test_prune_leaves_an_image_that_a_container_uses(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    host = Host(str(tmp_path), Scripted(tmp_path, used="a" * 64))
    filled(host)
    assert prune(host, 1)["images"] == {"b" * 64: "localhost/x"}
    assert "a" * 64 in our_images(host)


def test_prune_waits_for_nobody(host: Host) -> None:
    filled(host)
    push(host, content=b"", lock=lock_request("ben@desk", "o" * 32))
    with pytest.raises(NodeFault, match="locked by ben@desk"):
        prune(host, 1)
    assert Store(host).numbers() == [1, 2, 3]


def interrupt(*_: object, **__: object) -> None:
    """Ends the program there."""
    raise KeyboardInterrupt


def test_image_whose_load_was_interrupted_is_sent_again(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Podman has it already, without its name: it is neither forgotten nor taken for whole."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(host.commands, "run", interrupt)
        load_image(host, IMAGE, "localhost/blog", [IMAGE.encode()], "none")
    assert list_images(host) == [IMAGE]
    assert our_images(host) == {IMAGE: ""}
    assert whole_images(host, list_images(host)) == []
    left = Path(host.state_path("loading"))
    left.mkdir()
    (left / "podman123").write_text("half")
    push(host, ("image", IMAGE, 64), content=IMAGE.encode(), images=wanted())
    assert whole_images(host, list_images(host)) == [IMAGE]
    assert our_images(host) == {IMAGE: "localhost/blog"}
    assert not left.exists()


def test_what_the_same_run_sends_again_meanwhile_stays(host: Host) -> None:
    """Its connection was lost: it asks the same over another one before this one has noticed."""

    class Lost(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            take_lock(host, lock_request(), Events())
            return b""

    streams = Streams(Lost(), [{"kind": "blob", "name": wire.digest_of(b"x"), "size": 1}])
    args = {"lock": lock_request(), "compression": "none", "images": {}}
    with pytest.raises(NodeFault) as found:
        run_push(args, streams, Events(), host)
    assert found.value.id == "cut-off"
    assert show_lock(host) is not None
    # Nobody asks again: then it goes.
    with pytest.raises(NodeFault):
        push(host, ("blob", wire.digest_of(b"x"), 1), content=b"")
    assert show_lock(host) is None


def test_who_sends_again_waits_until_what_goes_has_gone(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what it has sent by then would go too."""
    order: list[str] = []

    def take_again() -> None:
        take_lock(host, lock_request(), Events())
        order.append("taken")

    again = threading.Thread(target=take_again)

    def clean(*_: object) -> None:
        again.start()
        # It has begun, and comes no further as long as this lasts.
        again.join(0.3)
        order.append("cleaned")

    monkeypatch.setattr("skerry_node.push.clean_secrets", clean)
    with pytest.raises(NodeFault):
        push(host, ("blob", wire.digest_of(b"x"), 1), content=b"")
    again.join()
    assert order == ["cleaned", "taken"]
