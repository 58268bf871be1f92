"""What an ELF file needs to be started: its loader and its libraries.

Source: System V Application Binary Interface, "Object Files" and "Dynamic Linking"; ld.so(8) for
where libraries are looked for.
"""

from __future__ import annotations

import struct

import msgspec

_MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NEEDED, _STRTAB, _RPATH, _RUNPATH = 1, 5, 15, 29
# A header that says more is damaged, or made to harm.
_MOST = 4096


class Elf(msgspec.Struct, frozen=True):
    """The loader ("" for a static file or a library), the names of the libraries that are needed,
    and the folders in which they are looked for first, as written (with ``$ORIGIN``)."""

    loader: str = ""
    needed: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    is_64: bool = True


def try_parse_elf(content: bytes) -> Elf | None:
    """What the content of a file says; None where it is no whole ELF file."""
    if content[:4] != _MAGIC or len(content) < 52:
        return None
    try:
        return _parse(content)
    except (struct.error, IndexError, ValueError):
        return None


def _parse(content: bytes) -> Elf:
    is_64, order = content[4] == 2, "<" if content[5] == 1 else ">"
    if is_64:
        table, size, count = _fields(content, order + "QHH", (32, 54, 56))
    else:
        table, size, count = _fields(content, order + "IHH", (28, 42, 44))
    if count > _MOST:
        raise ValueError("too many segments")
    loads: list[tuple[int, int, int]] = []
    loader, dynamic = "", b""
    for number in range(count):
        at = table + number * size
        (kind,) = struct.unpack_from(order + "I", content, at)
        if is_64:
            offset, address = struct.unpack_from(order + "QQ", content, at + 8)
            (length,) = struct.unpack_from(order + "Q", content, at + 32)
        else:
            offset, address = struct.unpack_from(order + "II", content, at + 4)
            (length,) = struct.unpack_from(order + "I", content, at + 16)
        if kind == _LOAD:
            loads.append((address, offset, length))
        elif kind == _INTERP:
            loader = content[offset : offset + length].rstrip(b"\0").decode()
        elif kind == _DYNAMIC:
            dynamic = content[offset : offset + length]
    entry = struct.Struct(order + ("qQ" if is_64 else "iI"))
    entries = list(entry.iter_unpack(dynamic[: len(dynamic) // entry.size * entry.size]))
    tables = [value for tag, value in entries if tag == _STRTAB]
    if not tables:
        return Elf(loader=loader, is_64=is_64)
    strings = _offset_of(tables[0], loads)

    def text(at: int) -> str:
        begin = strings + at
        return content[begin : content.index(b"\0", begin)].decode()

    runpath = [text(value) for tag, value in entries if tag == _RUNPATH]
    paths = runpath or [text(value) for tag, value in entries if tag == _RPATH]
    return Elf(
        loader=loader,
        needed=tuple(text(value) for tag, value in entries if tag == _NEEDED),
        folders=tuple(folder for path in paths for folder in path.split(":") if folder),
        is_64=is_64,
    )


def _fields(content: bytes, form: str, places: tuple[int, ...]) -> tuple[int, ...]:
    order, letters = form[0], form[1:]
    return tuple(
        struct.unpack_from(order + letter, content, place)[0]
        for letter, place in zip(letters, places, strict=True)
    )


def _offset_of(address: int, loads: list[tuple[int, int, int]]) -> int:
    for begin, offset, length in loads:
        if begin <= address < begin + length:
            return offset + address - begin
    raise ValueError("the table of strings is in no segment")
