"""Images from the operator's own Podman: which they are, and their bytes for the nodes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from skerry.compile.lock import ResolvedImage
from skerry.edge.exchange import Outgoing
from skerry.edge.paths import make_cache
from skerry.edge.run import PIPE, Command, start
from skerry.errors import CommandMissing, ImageFailed
from skerry.push.image_cache import read_stamp, try_remember, write_answers

# zstd's default: a 100 MB image takes under a second, and a higher level slows the sender more
# than it saves on a 10 Mbit/s line.
_LEVEL = 3
_CHUNK = 1 << 20


def resolve_images(
    references: Iterable[str], locked: Mapping[str, ResolvedImage], *, cache: Path
) -> dict[str, ResolvedImage]:
    """The image that each reference means: in the operator's store, else as the lock has it.

    References that are in neither are left out. Podman is only started when its store changed
    since the answer in the folder `cache` was given. Raises `CommandMissing` when Podman is not
    installed and the lock does not have every reference, `CommandFailed` when its store cannot be
    read.
    """
    wanted = sorted(set(references))
    found = {**locked, **_look_up(wanted, locked, cache)}
    return {reference: found[reference] for reference in wanted if reference in found}


def _look_up(
    wanted: list[str], locked: Mapping[str, ResolvedImage], cache: Path
) -> dict[str, ResolvedImage]:
    """What the operator's store has of the references."""
    if not wanted:
        return {}
    answers = try_remember(cache, wanted)
    if answers is None:
        try:
            answers = _ask_podman(wanted, cache)
        except CommandMissing:
            if all(reference in locked for reference in wanted):
                return {}
            raise
    return {name: image for name, image in answers.items() if image is not None}


def _ask_podman(wanted: list[str], cache: Path) -> dict[str, ResolvedImage | None]:
    from skerry.images.podman import inspect_images

    # Before the question: a change in between makes the answer old, never wrongly new.
    stamp = read_stamp()
    stored = inspect_images(wanted)
    answers = {
        reference: ResolvedImage(
            id=image.id,
            size=image.size,
            architecture=image.architecture,
            user=image.user,
        )
        if (image := stored.get(reference)) is not None
        else None
        for reference in wanted
    }
    write_answers(cache, stamp, answers)
    return answers


@contextmanager
def image_archives(wanted: Mapping[str, str], *, cache: Path) -> Iterator[dict[str, Outgoing]]:
    """Each image of `wanted` (id -> reference), compressed and ready for any number of nodes.

    Each is saved and compressed once, into a file of the folder `cache` that has no name and
    goes with this process however it ends; the streams may be read by several threads at once.
    Raises `ImageFailed` before anything is yielded when one of them cannot be saved.
    """
    import tempfile

    with ExitStack() as files:
        archives = {}
        if wanted:
            make_cache(cache)
        for image_id, reference in wanted.items():
            archive = files.enter_context(tempfile.TemporaryFile(dir=cache))
            _write_archive(archive, image_id, reference, cache)
            archives[image_id] = _outgoing(image_id, archive)
        yield archives


def _outgoing(image_id: str, archive: IO[bytes]) -> Outgoing:
    descriptor = archive.fileno()
    size = os.fstat(descriptor).st_size

    def chunks() -> Iterator[bytes]:
        # pread: the nodes' threads share the file, each with a place of its own in it.
        offset = 0
        while chunk := os.pread(descriptor, _CHUNK, offset):
            offset += len(chunk)
            yield chunk

    return Outgoing("image", image_id, size, chunks)


def _write_archive(archive: IO[bytes], image_id: str, reference: str, folder: Path) -> None:
    """Saves an image by its id (whatever its tag means by now), compressed.

    The format is docker-archive: all versions of ``podman load`` take it, its layers are not
    compressed one by one, and the image's id stays what it is.
    """
    import tempfile

    import zstandard

    command = Command.of("podman", "save", "--format", "docker-archive", "--", image_id)
    with tempfile.TemporaryFile() as stderr:
        saving = start(command, stdout=PIPE, stderr=stderr)
        assert saving.stdout is not None
        try:
            zstandard.ZstdCompressor(level=_LEVEL).copy_stream(saving.stdout, archive)
            archive.flush()
        except OSError as error:
            raise ImageFailed(
                f"cannot keep the image {reference} in {folder}: {error.strerror}",
                hint="its compressed size must be free there while it is sent",
            ) from None
        finally:
            # Podman ends by itself when nobody reads what it writes.
            saving.stdout.close()
            status = saving.wait()
        stderr.seek(0)
        words = stderr.read().decode(errors="replace").strip()
    if status != 0:
        raise ImageFailed(
            f"Podman cannot save the image {reference} ({image_id[:12]})",
            detail=words[-2000:],
            hint="`skerry image build` builds the images of the cloud folder; "
            f"`podman pull {reference}` fetches others",
        )
