"""The raw bytes that follow a request: blobs and images, one after the other."""

from __future__ import annotations

from skerry_node.durable import CHUNK
from skerry_node.fault import NodeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Iterator, List, Tuple

    from skerry_node.wire import Stream

# A chunk's length comes as this many hexadecimal digits.
_LENGTH_DIGITS = 8


class Streams:
    """Reads the announced streams in their order; see `wire.Stream`."""

    def __init__(self, source: BinaryIO, described: List[Stream]) -> None:
        self.source = source
        self.described = described

    def __iter__(self) -> Iterator[Tuple[str, str, Iterator[bytes]]]:
        """Yields (kind, name, chunks); each must be read to its end before the next."""
        for one in self.described:
            size = int(one["size"])
            chunks = self._sized(size) if size >= 0 else self._chunked()
            yield str(one["kind"]), str(one["name"]), chunks

    def _sized(self, size: int) -> Iterator[bytes]:
        while size:
            chunk = self.source.read(min(size, CHUNK))
            if not chunk:
                raise _cut_off()
            size -= len(chunk)
            yield chunk

    def _chunked(self) -> Iterator[bytes]:
        while True:
            header = self.source.read(_LENGTH_DIGITS)
            if len(header) < _LENGTH_DIGITS:
                raise _cut_off()
            try:
                size = int(header, 16)
            except ValueError:
                raise NodeFault("bad-request", "%r is not a length" % header) from None
            if size == 0:
                return
            yield from self._sized(size)


def _cut_off() -> NodeFault:
    return NodeFault(
        "cut-off",
        "the connection ended in the middle of a transfer",
        "run the command again: what has arrived whole is not sent again",
    )
