"""All that paths need of a root file system, with the reason for each."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from skerry.images.slim.closure import Closure, Reason
from skerry.images.slim.elf import Elf, try_parse_elf
from skerry.images.slim.root import DiskRoot

TRACED = Reason("traced")


def elf_of(*needed: str, loader: str = "", runpath: str = "", is_64: bool = True) -> bytes:
    """A little ELF file that is no program, with these entries of its dynamic section."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in (*needed, runpath))
    offsets, at = [], 1
    for name in (*needed, runpath):
        offsets.append(at)
        at += len(name) + 1
    header, size = (64, 56) if is_64 else (52, 32)
    begin = header + 3 * size
    interp = loader.encode() + b"\0"
    word = "<qQ" if is_64 else "<iI"
    place = begin + len(interp)
    tags = [(1, offset) for offset in offsets[:-1]] + [(5, place)]
    tags += [(29, offsets[-1])] if runpath else []
    dynamic = b"".join(struct.pack(word, *tag) for tag in (*tags, (0, 0)))
    body = interp + strings + dynamic
    segments = [(1, 0, begin + len(body)), (2, place + len(strings), len(dynamic))]
    segments.append((3, begin, len(interp)) if loader else (4, 0, 0))
    if is_64:
        table = b"".join(
            struct.pack("<IIQQQQQQ", kind, 4, offset, offset, offset, length, length, 1)
            for kind, offset, length in segments
        )
        head = struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    else:
        table = b"".join(
            struct.pack("<IIIIIIII", kind, offset, offset, offset, length, length, 4, 1)
            for kind, offset, length in segments
        )
        head = struct.pack("<HHIIIIIHHHHHH", 3, 3, 1, 0, 52, 0, 0, 52, 32, 3, 40, 0, 0)
    return b"\x7fELF" + bytes([2 if is_64 else 1, 1, 1]) + bytes(9) + head + table + body


class Sample:
    """A root file system in a folder, made by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, path: str, content: bytes = b"", mode: int = 0o644) -> None:
        place = self.folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)

    def link(self, path: str, target: str) -> None:
        place = self.folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def close(self, *paths: str) -> Closure:
        closure = Closure(DiskRoot(self.folder))
        closure.keep(paths, TRACED)
        return closure

    def wanted(self, *paths: str) -> list[str]:
        return self.close(*paths).wanted()


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return Sample(tmp_path)


def test_folders_above_are_kept_and_are_not_asked_for(sample: Sample) -> None:
    sample.file("/a/b/c")
    sample.file("/a/b/d")
    closure = sample.close("/a/b/c")
    assert sorted(closure.kept) == ["/", "/a", "/a/b", "/a/b/c"]
    assert closure.wanted() == ["/a/b/c"]
    assert str(closure.kept["/a/b"]) == "above /a/b/c"
    # A folder that was listed is wanted for itself, empty or not.
    assert sample.wanted("/a/b/c", "/a") == ["/a", "/a/b/c"]


def test_links_are_kept_wherever_they_are_on_the_way(sample: Sample) -> None:
    sample.file("/usr/lib/v2/x.so.1.2")
    sample.link("/lib", "usr/lib")
    sample.link("/usr/lib/now", "/usr/lib/v2")
    sample.link("/usr/lib/v2/x.so", "../v2/./x.so.1.2")
    found = sample.wanted("/lib/now/x.so")
    assert found == ["/lib", "/usr/lib/now", "/usr/lib/v2/x.so", "/usr/lib/v2/x.so.1.2"]
    # `..` behind a link goes up from where the link leads to.
    sample.file("/usr/y")
    assert "/usr/y" in sample.wanted("/lib/../y")


def test_links_that_lead_nowhere_or_in_circles(sample: Sample) -> None:
    sample.link("/a", "b")
    sample.link("/b", "a")
    sample.link("/c", "/gone/for/good")
    sample.file("/f")
    closure = sample.close("/a", "/c", "/f/below", "/gone")
    assert sorted(closure.missing) == ["/a", "/c", "/f/below", "/gone"]
    # The link is kept: a program that looks at it finds it as it was.
    assert "/c" in closure.kept


def test_nothing_outside_of_the_root_is_seen(sample: Sample, tmp_path: Path) -> None:
    sample.link("/out", "../../../../../../../etc/passwd")
    sample.link("/abs", "/etc/passwd")
    assert sorted(sample.close("/out", "/abs").missing) == ["/abs", "/out"]
    sample.file("/etc/passwd")
    assert "/etc/passwd" in sample.wanted("/out")


def test_interpreters(sample: Sample) -> None:
    sample.file("/bin/run", b"#! /usr/bin/py -I\n", 0o755)
    sample.file("/usr/bin/py", b"#!/bin/sh\n", 0o755)
    sample.file("/bin/sh", b"", 0o755)
    closure = sample.close("/bin/run")
    assert closure.wanted() == ["/bin/run", "/bin/sh", "/usr/bin/py"]
    assert str(closure.kept["/bin/sh"]) == "runs /usr/bin/py"
    # What is no program is only read.
    sample.file("/notes", b"#!/usr/bin/py\n", 0o644)
    assert sample.wanted("/notes") == ["/notes"]


def test_loaders_and_libraries(sample: Sample) -> None:
    program = elf_of("libb.so.1", "libown.so", loader="/lib64/ld.so.2", runpath="$ORIGIN/../own")
    sample.file("/opt/bin/a", program, 0o755)
    sample.file("/opt/own/libown.so", elf_of())
    sample.file("/usr/lib/x86_64-linux-gnu/libb.so.1", elf_of("libc.so.6"))
    # One for other programs, and one that the search comes to later.
    sample.file("/usr/local/special/libc.so.6", elf_of(is_64=False))
    sample.file("/usr/lib/libc.so.6", elf_of())
    sample.file("/usr/lib64/ld.so.2", elf_of())
    sample.link("/lib64", "usr/lib64")
    sample.link("/lib", "usr/lib")
    sample.file("/etc/ld.so.conf.d/special.conf", b"# more\n/usr/local/special\n")
    closure = sample.close("/opt/bin/a")
    assert closure.wanted() == [
        "/lib", "/lib64", "/opt/bin/a", "/opt/own/libown.so", "/usr/lib/libc.so.6",
        "/usr/lib/x86_64-linux-gnu/libb.so.1", "/usr/lib64/ld.so.2",
    ]  # fmt: skip
    assert closure.kept["/opt/own/libown.so"] == Reason("a library of", "/opt/bin/a")
    assert not closure.missing


def test_what_the_kernel_makes_is_left_out(sample: Sample) -> None:
    sample.file("/proc/self/maps")
    sample.file("/dev/null")
    assert sample.wanted("/proc/self/maps", "/dev/null", "/proc") == ["/proc"]


def test_patterns(sample: Sample) -> None:
    for path in ("/z/a/1", "/z/a/2", "/z/b/1", "/z/c"):
        sample.file(path)
    sample.link("/lib", "z")

    def matching(pattern: str) -> list[str]:
        closure = Closure(DiskRoot(sample.folder))
        closure.keep_matching(pattern, TRACED)
        return closure.wanted()

    assert matching("/z/*/1") == ["/z/a/1", "/z/b/1"]
    assert matching("/z/a/**") == ["/z/a", "/z/a/1", "/z/a/2"]
    assert matching("/lib/*") == ["/lib", "/z/a", "/z/b", "/z/c"]
    assert matching("/gone/**") == matching("/z/*/9") == []


def test_elf_of_both_sizes() -> None:
    for is_64 in (True, False):
        content = elf_of("a.so", "b.so", loader="/l", runpath="/x:$ORIGIN", is_64=is_64)
        assert try_parse_elf(content) == Elf(
            loader="/l", needed=("a.so", "b.so"), folders=("/x", "$ORIGIN"), is_64=is_64
        )
        # Cut off anywhere, it is none, or less; never an error.
        for end in range(len(content)):
            try_parse_elf(content[:end])
    assert try_parse_elf(b"#!/bin/sh") is None


def test_the_program_that_runs_this_needs_its_loader() -> None:
    found = try_parse_elf(Path("/bin/sh").read_bytes())
    assert found is not None and found.loader and found.needed
